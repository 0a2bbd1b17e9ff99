import type { ImageWire } from '@folsom/nova/rpc/wire';
import type { Writer } from '@folsom/wire/view';
import { LRUCache } from 'lru-cache';
import type { Caller, Shown } from '../http/api.ts';
import type { ImageViews } from './images.ts';

interface Kept {
  additions: readonly Writer<Shown['image']>[];
  bytes: Buffer;
}

/** Answers kept for one list: each caller's address and query is another. */
const ANSWERS_MAX = 8;

const kept = new WeakMap<readonly ImageWire[], LRUCache<string, Kept>>();

/**
 * The JSON of a list of detailed images. Making it is most of the work of a long one, so it is kept as long as the list itself, which is
 * the same array while the image service says the same.
 */
export function imagesBytes({ details }: ImageViews, caller: Caller, images: readonly ImageWire[]): Buffer {
  const additions = caller.api.registry.added('image', caller);
  const key = JSON.stringify([caller.isAdmin, caller.base, caller.root, caller.tenant, caller.search]);
  let answers = kept.get(images);
  const known = answers?.get(key);
  if (known && sameAdditions(known.additions, additions)) return known.bytes;
  const bytes = Buffer.from(JSON.stringify(details.json(images, caller)));
  if (answers === undefined) {
    answers = new LRUCache({ max: ANSWERS_MAX });
    kept.set(images, answers);
  }
  answers.set(key, { additions, bytes });
  return bytes;
}

// The registry makes a new array every time, of the same functions.
const sameAdditions = (a: Kept['additions'], b: Kept['additions']): boolean =>
  a.length === b.length && a.every((add, at) => add === b[at]);
