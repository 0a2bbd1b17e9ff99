import { ReadStream } from 'node:fs';
import { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/**
 * Frees the memory of a chunk that `source` gave and that was copied or sent. Only files and connections hand over memory of
 * the chunk's own; chunks of other sources are left alone. Left to the garbage collector, the chunks of a large image would
 * pile up and make it look through the whole heap every few dozen of megabytes.
 */
export function freeChunk(source: Readable, chunk: Buffer): void {
  if (!(source instanceof IncomingMessage || source instanceof ReadStream)) return;
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) buffer.transfer(0);
}
