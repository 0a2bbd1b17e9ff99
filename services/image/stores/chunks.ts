import type { FileHandle } from 'node:fs/promises';
import { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

const CHUNK_BYTES = 1024 * 1024;
/** Pieces of a file that are read at a time: fetching pages from the disk occupies a processor, and there are several. */
const READS_AT_ONCE = 3;

const fromFiles = new WeakSet<Readable>();

/** The contents of a file, which is closed at the end or when the stream is destroyed. */
export function fileStream(file: FileHandle, size: number): Readable {
  const stream = Readable.from(fileChunks(file, size));
  fromFiles.add(stream);
  // Waits for what is being read. A generator that was never asked for anything could not do this at its end.
  stream.once('close', () => void file.close().catch(() => {}));
  return stream;
}

async function* fileChunks(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  const reading: Promise<Buffer>[] = [];
  let position = 0;
  const ask = () => {
    if (position >= size) return;
    const chunk = read(file, position, Math.min(CHUNK_BYTES, size - position));
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

/** Reads so many bytes, fewer only at the end of the file, into memory of their own. */
async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled === length ? bytes : bytes.subarray(0, filled);
}

/**
 * Frees the memory of a chunk that `source` gave and that was copied or sent. Only files and connections hand over memory of
 * the chunk's own; chunks of other sources are left alone. Left to the garbage collector, the chunks of a large image would
 * pile up and make it look through the whole heap every few dozen of megabytes.
 */
export function freeChunk(source: Readable, chunk: Buffer): void {
  if (!(source instanceof IncomingMessage || fromFiles.has(source))) return;
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) buffer.transfer(0);
}
