import type { Writer } from '@folsom/wire/view';
import { type DetailSource, listedFrom, sameDetails } from '../../domain/instance-details.ts';
import type { Caller, Registry, Shown } from '../http/api.ts';
import { nextLink } from '../http/links.ts';
import type { ServerViews } from './servers.ts';

type ServerAddition = Writer<Shown['server']>;

interface Kept {
  source: DetailSource;
  /** JSON of the server's view. */
  text: string;
}

/** What callers who are shown the same have in common, and the texts made for them. */
interface Audience {
  additions: readonly ServerAddition[];
  texts: Map<string, Kept>;
}

/** Texts kept in all, about 3 KB each. */
const TEXTS_MAX = 5_000;

const kept = new WeakMap<Registry, { audiences: Map<string, Audience>; texts: number }>();

/**
 * The JSON of a page of detailed servers. Making it is most of the work of a long listing, so the text of each server is kept
 * and used again while nothing that it shows has changed.
 */
export function serversText(
  { full, details }: ServerViews,
  caller: Caller,
  sources: readonly DetailSource[],
): string {
  // Nothing is kept for an empty page, or anybody could fill the memory with host names.
  if (sources.length === 0) return JSON.stringify(details.json([], caller));
  const { registry } = caller.api;
  const additions = registry.added('server', caller);
  let store = kept.get(registry);
  if (!store || store.texts + sources.length > TEXTS_MAX) {
    store = { audiences: new Map(), texts: 0 };
    kept.set(registry, store);
  }
  const key = `${caller.isAdmin} ${caller.base} ${caller.tenant}`;
  let audience = store.audiences.get(key);
  if (!audience || !sameAdditions(audience.additions, additions)) {
    audience = { additions, texts: new Map() };
    store.audiences.set(key, audience);
  }
  const texts: string[] = [];
  for (const source of sources) {
    const { uuid } = source.row;
    const known = audience.texts.get(uuid);
    if (known && sameDetails(known.source, source)) {
      texts.push(known.text);
      continue;
    }
    const text = JSON.stringify(full.json(listedFrom(source), caller, additions));
    if (!known) store.texts++;
    audience.texts.set(uuid, { source, text });
    texts.push(text);
  }
  const next = nextLink(
    caller,
    'servers',
    sources.map(({ row }) => ({ id: row.uuid })),
  );
  return `{"servers":[${texts.join()}]${next ? `,"servers_links":${JSON.stringify(next)}` : ''}}`;
}

// The registry makes a new array every time, of the same functions.
const sameAdditions = (a: readonly ServerAddition[], b: readonly ServerAddition[]): boolean =>
  a.length === b.length && a.every((add, at) => add === b[at]);
