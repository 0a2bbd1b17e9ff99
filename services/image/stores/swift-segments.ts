import { must } from '@folsom/core';
import { discard, textOf } from './fetching.ts';
import { expectStatus, type SwiftConnection } from './swift-connection.ts';
import type { SwiftLocation } from './swift-location.ts';

const LISTING_MAX = 10_000;
const SEGMENTS_MAX = 1_000_000;

/** Stores a stream in segments and, at its end, the manifest that joins them. */
export async function putSegments(
  connection: SwiftConnection,
  location: SwiftLocation,
  chunks: AsyncIterable<Buffer>,
  options: { segmentBytes: number; signal: AbortSignal },
): Promise<void> {
  const parts = splitStream(chunks, options.segmentBytes);
  for (let number = 1; ; number++) {
    const segment = await parts.next();
    if (segment === null) break;
    const name = segmentName(location.object, number);
    const response = await connection.request('PUT', [location.container, name], {
      headers: { 'content-type': 'application/octet-stream' },
      body: segment,
      signal: options.signal,
    });
    await expectStatus(response, [201, 200, 202]);
    discard(response);
  }
  const manifest = await connection.request('PUT', [location.container, location.object], {
    headers: {
      'content-length': '0',
      'x-object-manifest': `${location.container}/${location.object}`,
    },
    body: Buffer.alloc(0),
  });
  await expectStatus(manifest, [201, 200, 202]);
  discard(manifest);
}

/** Removes an object and its segments. Resolves to the number of things removed. */
export async function removeObjects(
  connection: SwiftConnection,
  container: string,
  object: string,
): Promise<number> {
  const names = new Set(await segmentNames(connection, container, object));
  let removed = 0;
  for (const name of names.add(object)) if (await removeObject(connection, container, name)) removed += 1;
  // A listing may not show yet what was stored a moment ago: segments are numbered without gaps.
  for (let number = 1; number <= SEGMENTS_MAX; number++) {
    const name = segmentName(object, number);
    if (names.has(name)) continue;
    if (!(await removeObject(connection, container, name))) break;
    removed += 1;
  }
  return removed;
}

const segmentName = (object: string, number: number): string =>
  `${object}-${String(number).padStart(5, '0')}`;

/** The object and its segments: `<object>` and `<object>-00001`, nothing else of that prefix. */
async function segmentNames(
  connection: SwiftConnection,
  container: string,
  object: string,
): Promise<string[]> {
  const names: string[] = [];
  let marker = '';
  for (;;) {
    const response = await connection.request('GET', [container], {
      query: {
        format: 'json',
        prefix: object,
        limit: String(LISTING_MAX),
        ...(marker ? { marker } : {}),
      },
    });
    if (response.status === 404) {
      discard(response);
      return names;
    }
    await expectStatus(response, [200, 204]);
    const text = await textOf(response);
    const page = text === '' ? [] : (JSON.parse(text) as { name: string }[]).map(item => item.name);
    names.push(...page.filter(name => name === object || /^-\d{5,}$/.test(name.slice(object.length))));
    if (page.length < LISTING_MAX) return names;
    marker = must(page.at(-1), 'page is not empty');
  }
}

/** Resolves to false when there was none. */
export async function removeObject(
  connection: SwiftConnection,
  container: string,
  name: string,
): Promise<boolean> {
  const response = await connection.request('DELETE', [container, name]);
  discard(response);
  if (response.status === 404) return false;
  await expectStatus(response, [200, 204]);
  return true;
}

/** Cuts a stream into streams of at most `bytes`; null at its end. Each must be read to its end before the next. */
function splitStream(
  chunks: AsyncIterable<Buffer>,
  bytes: number,
): { next(): Promise<AsyncIterable<Buffer> | null> } {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Buffer | null = null;
  const take = async (): Promise<Buffer | null> => {
    while (rest === null || rest.byteLength === 0) {
      const next = await iterator.next();
      if (next.done) return null;
      rest = next.value;
    }
    return rest;
  };
  return {
    next: async () => {
      if ((await take()) === null) return null;
      return (async function* () {
        let left = bytes;
        while (left > 0) {
          const chunk = await take();
          if (chunk === null) return;
          const part = chunk.subarray(0, left);
          rest = chunk.subarray(part.byteLength);
          left -= part.byteLength;
          yield part;
        }
      })();
    },
  };
}
