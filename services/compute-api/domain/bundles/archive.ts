import { BUNDLE_LIMITS } from './limits.ts';

/**
 * The image inside the tar archive of a bundle, read as it comes: nothing is written anywhere, so that no name in the
 * archive can lead anywhere (CVE-2011-4596). The first file is the image; an archive that names what lies outside of its
 * folder, links or devices is refused whole, wherever they stand.
 */
export async function* imageInArchive(archive: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = new Source(archive);
  let found = false;
  for (let entries = 0; entries <= BUNDLE_LIMITS.entriesMax; entries++) {
    const entry = await nextEntry(source);
    if (entry === null) {
      if (!found) throw refused('holds no file');
      return;
    }
    if (entry.kind === 'file' && !found) {
      found = true;
      yield* contentOf(source, entry);
    } else await source.skip(entry.size);
    await source.skip(paddingOf(entry.size));
  }
  throw refused('has too many entries');
}

const BLOCK = 512;
/** A long name's own entry. */
const LONG_NAME_BYTES_MAX = 4_096;
const CHUNK = 64 * 1024;

const refused = (reason: string): Error => new Error(`the archive of the image ${reason}`);
const paddingOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

interface Segment {
  offset: number;
  bytes: number;
}

interface Entry {
  kind: 'file' | 'other';
  /** Bytes in the archive. */
  size: number;
  /** Of a file with holes: where its bytes belong, and how long it is with them. */
  sparse: { segments: Segment[]; realSize: number } | null;
}

/** The next entry that stands for itself. Null at the end. */
async function nextEntry(source: Source): Promise<Entry | null> {
  let longName: string | undefined;
  for (;;) {
    const header = await source.take(BLOCK);
    if (header === null || header.every(byte => byte === 0)) return null;
    checkSum(header);
    const type = header.toString('latin1', 156, 157);
    const size = numberAt(header, 124, 12);
    if (type === 'L') {
      longName = textIn(await source.need(bounded(size)), 0, size);
      await source.skip(paddingOf(size));
      continue;
    }
    // What POSIX adds to an entry says nothing that matters here, but for a name: a path there is looked at, too.
    if (type === 'x' || type === 'g') {
      const extended = (await source.need(bounded(size))).toString('utf8');
      await source.skip(paddingOf(size));
      if (/GNU\.sparse/.test(extended)) throw refused('has holes in a form that is not understood');
      longName = /^\d+ path=(.*)$/m.exec(extended)?.[1] ?? longName;
      continue;
    }
    checkName(longName ?? nameOf(header));
    return entryOf(source, header, type, size);
  }
}

const bounded = (size: number): number => {
  if (size > LONG_NAME_BYTES_MAX) throw refused('has a name that is too long');
  return size;
};

async function entryOf(source: Source, header: Buffer, type: string, size: number): Promise<Entry> {
  if (type === '5') return { kind: 'other', size, sparse: null };
  if (type === 'S') return { kind: 'file', size, sparse: await sparseOf(source, header) };
  if (type === '0' || type === '\0' || type === '7') return { kind: 'file', size, sparse: null };
  throw refused('holds something that is no file');
}

function nameOf(header: Buffer): string {
  const name = textIn(header, 0, 100);
  const prefix = textIn(header, 257, 5) === 'ustar' && header[263] === 0x30 ? textIn(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function checkName(name: string): void {
  if (name.startsWith('/') || name.split('/').includes('..') || name.includes('\0')) {
    throw refused('has unsafe file names');
  }
}

const textIn = (bytes: Buffer, start: number, length: number): string => {
  const text = bytes.subarray(start, start + length).toString('utf8');
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
};

/** Octal, or binary where octal is too short (GNU). */
function numberAt(header: Buffer, start: number, length: number): number {
  const field = header.subarray(start, start + length);
  let value: number;
  if (field[0] === 0x80) value = Number(field.readBigUInt64BE(length - 8));
  else {
    const digits = textIn(field, 0, length).trim();
    if (!/^[0-7]*$/.test(digits)) throw refused('is damaged');
    value = digits === '' ? 0 : Number.parseInt(digits, 8);
  }
  if (value > BUNDLE_LIMITS.imageBytesMax) throw refused('holds an image that is too large');
  return value;
}

function checkSum(header: Buffer): void {
  const written = numberAt(header, 148, 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += header.readUInt8(at);
  if (sum !== written) throw refused('is damaged');
}

/** GNU's old form of files with holes, which is what bundlers of the time write. */
async function sparseOf(source: Source, header: Buffer): Promise<NonNullable<Entry['sparse']>> {
  const segments: Segment[] = [];
  const read = (block: Buffer, start: number, count: number) => {
    for (let at = start; at < start + count * 24; at += 24) {
      if (block[at] === 0) continue;
      segments.push({ offset: numberAt(block, at, 12), bytes: numberAt(block, at + 12, 12) });
    }
  };
  read(header, 386, 4);
  for (let more = header[482] === 1; more; ) {
    const block = await source.need(BLOCK);
    read(block, 0, 21);
    more = block[504] === 1;
    if (segments.length > 1_000_000) throw refused('has too many holes');
  }
  return { segments, realSize: numberAt(header, 483, 12) };
}

async function* contentOf(source: Source, { size, sparse }: Entry): AsyncGenerator<Buffer> {
  if (sparse === null) {
    yield* source.read(size);
    return;
  }
  let position = 0;
  let left = size;
  for (const { offset, bytes } of sparse.segments) {
    if (offset < position || bytes > left) throw refused('is damaged');
    yield* zeros(offset - position);
    yield* source.read(bytes);
    position = offset + bytes;
    left -= bytes;
  }
  if (position > sparse.realSize || left !== 0) throw refused('is damaged');
  yield* zeros(sparse.realSize - position);
}

const ZEROS = Buffer.alloc(CHUNK);
function* zeros(count: number): Generator<Buffer> {
  for (let left = count; left > 0; left -= CHUNK) yield left >= CHUNK ? ZEROS : ZEROS.subarray(0, left);
}

/** Bytes that come in pieces, taken in others. */
class Source {
  readonly #pieces: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Exactly so many bytes; null at the end. */
  async take(count: number): Promise<Buffer | null> {
    while (this.#rest.length < count) {
      const next = await this.#pieces.next();
      if (next.done) {
        if (this.#rest.length === 0) return null;
        throw refused('ends too early');
      }
      this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
    }
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  async need(count: number): Promise<Buffer> {
    const taken = await this.take(count);
    if (taken === null && count > 0) throw refused('ends too early');
    return taken ?? Buffer.alloc(0);
  }

  /** So many bytes in the pieces in which they come. */
  async *read(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0)
        this.#rest = await this.need(1).then(first => Buffer.concat([first, this.#rest]));
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async skip(count: number): Promise<void> {
    for await (const _piece of this.read(count));
  }
}
