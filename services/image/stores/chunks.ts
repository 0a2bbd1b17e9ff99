import type { FileHandle } from 'node:fs/promises';
import { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

const CHUNK_BYTES = 1024 * 1024;
/** Pieces of a file that are read at a time: fetching pages from the disk occupies a processor, and there are several. */
const READS_AT_ONCE = 3;

/** Memory of chunks that waits to be used again, of each stream at most. */
const SPARE_MAX = 4;

/** Of a stream that has ended: nothing more is kept. */
const NO_SPARE: Buffer[] = [];

/** Streams of open files, and the memory that was given back to each. */
const fromFiles = new WeakMap<Readable, Buffer[]>();

/** The contents of a file, which is closed at the end or when the stream is destroyed. */
export function fileStream(file: FileHandle, size: number): Readable {
  const spare: Buffer[] = [];
  const stream = Readable.from(fileChunks(file, size, spare));
  fromFiles.set(stream, spare);
  stream.once('close', () => {
    // Waits for what is being read. A generator that was never asked for anything could not do this at its end.
    file.close().catch(() => {});
    for (const bytes of spare) releaseMemory(bytes);
    // What comes back from now on is not kept.
    fromFiles.set(stream, NO_SPARE);
  });
  return stream;
}

async function* fileChunks(file: FileHandle, size: number, spare: Buffer[]): AsyncGenerator<Buffer> {
  const reading: Promise<Buffer>[] = [];
  let position = 0;
  const ask = () => {
    if (position >= size) return;
    const length = Math.min(CHUNK_BYTES, size - position);
    const memory = length === CHUNK_BYTES ? spare.pop() : undefined;
    const chunk = read(file, position, memory ?? Buffer.allocUnsafeSlow(length));
    chunk.catch(() => {});
    reading.push(chunk);
    position += CHUNK_BYTES;
  };
  for (let n = 0; n < READS_AT_ONCE; n++) ask();
  for (let chunk = await reading.shift(); chunk !== undefined; chunk = await reading.shift()) {
    ask();
    yield chunk;
  }
}

/** Reads into all of the memory, into less of it only at the end of the file. */
async function read(file: FileHandle, position: number, bytes: Buffer): Promise<Buffer> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled === bytes.length ? bytes : bytes.subarray(0, filled);
}

/**
 * Gives back the memory of a chunk that `source` gave and that was copied or sent: nobody may look at it any more. A file's
 * next chunks use it again, since the pages of new memory cost as much as reading into them. Only files and connections hand
 * over memory of the chunk's own; chunks of other sources are left alone. Left to the garbage collector, the chunks of a large
 * image would pile up and make it look through the whole heap every few dozen of megabytes.
 */
export function freeChunk(source: Readable, chunk: Buffer): void {
  const spare = fromFiles.get(source);
  if (!spare && !(source instanceof IncomingMessage)) return;
  const kept = spare && spare !== NO_SPARE && spare.length < SPARE_MAX;
  if (kept && chunk.byteLength === CHUNK_BYTES) spare.push(chunk);
  else releaseMemory(chunk);
}

function releaseMemory({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
