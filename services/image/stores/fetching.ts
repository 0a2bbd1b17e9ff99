import {
  type Door,
  type DoorAnswer,
  type DoorRequest,
  OutboundFailed,
  OutboundRefused,
} from '@folsom/outbound';
import { storeFault } from './store.ts';

export interface FetchOptions extends DoorRequest {
  /** Targets that users name go through the user's door. */
  door: Door;
}

/**
 * One HTTP exchange with an image source or a store. The body of the answer is not read.
 *
 * @throws SourceRefused for a target the door refuses; BackendError when there is no answer.
 */
export async function fetchFrom(url: URL, { door, ...request }: FetchOptions): Promise<DoorAnswer> {
  try {
    return await door.request(url, request);
  } catch (error) {
    throw asStoreFault(error);
  }
}

/** @throws SourceRefused for a target the door refuses. */
export async function checkTarget(door: Door, url: string): Promise<void> {
  await door.check(url).catch(error => {
    throw asStoreFault(error);
  });
}

function asStoreFault(error: unknown): unknown {
  if (error instanceof OutboundFailed) return storeFault('BackendError', {}, { cause: error });
  if (error instanceof OutboundRefused) {
    return error.reason === 'redirects'
      ? storeFault('BackendError', {}, { message: 'The image source redirects without end.' })
      : storeFault('SourceRefused');
  }
  // What ended the body that was sent, or the caller's own signal, is the caller's.
  return error;
}

/** Reads an answer of bounded size. */
export async function textOf({ body }: DoorAnswer, bytesMax = 16 * 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const part of body) {
    const chunk = part as Buffer;
    size += chunk.byteLength;
    if (size > bytesMax) throw storeFault('BackendError');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Lets an answer's body go by. */
export const discard = ({ body }: DoorAnswer): void => {
  body.on('error', noMatter);
  body.resume();
};

const noMatter = () => {};

/** What an answer says its body has in bytes; null when it does not. */
export function lengthOf({ headers }: DoorAnswer): number | null {
  const length = headers['content-length'];
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : null;
}
