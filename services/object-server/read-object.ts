import { hash } from 'node:crypto';
import { close, closeSync, read, readSync } from 'node:fs';
import { type Digest, directMd5, threadedMd5 } from '@folsom/host/md5-thread';
import { dropCache } from '@folsom/host/xattr';
import { readRange } from '@folsom/swift';
import {
  answer,
  type BodyStream,
  type Headers,
  httpDate,
  lendSlab,
  lowerName,
  releaseSlab,
  type ServerResponse,
  type Slab,
  takeSlab,
} from '@folsom/swift-http';
import { ifRangeHolds, judgeGet, judgeHead } from './conditions.ts';
import { type ObjectRequest, type ObjectServerContext, onQuarantine } from './context.ts';
import { openKnownObject } from './known-objects.ts';
import { isExpired, type OpenObject } from './object-file.ts';
import { quarantine } from './quarantine.ts';

/** Up to this size the sum is made here: asking another thread would cost more than it spares. */
const DIRECT_SUM_BYTES_MAX = 1_048_576;
/** Objects up to this size are read, checked and sent in one piece. */
const WHOLE_READ_BYTES_MAX = 65_536;
/** The page cache is told to forget what was read in steps of this. */
const FORGET_STEP = 1 << 20;

/** GET: the object, a part of it, or why not. */
export function getObject(context: ObjectServerContext, request: ObjectRequest): ServerResponse {
  const { http, place } = request;
  const { world } = context;
  const found = openKnownObject(place, world.random, onQuarantine(context, place));
  if (found.state === 'gone')
    return http.headers.get('if-match') === '*' ? answer(412, http) : answer(404, http);
  const { object } = found;
  let keepOpen = false;
  try {
    if (isExpired(object.metadata, world.clock.now() / 1000)) {
      return http.headers.get('if-match') === '*' ? answer(412, http) : answer(404, http);
    }
    const verdict = judgeGet(http.headers, object.etag, object.timestamp);
    if (verdict === 'failed') return answer(412, http);
    const headers = objectHeaders(context, object);
    if (verdict === 'unchanged') return unchanged(headers, 'content-', 'x-object-');
    const part = partOf(http, object, headers);
    if (!part) return refusedRange(http, object);
    const { status, start, end } = part;
    const forget = forgetsAfterReading(context, request, object);
    if (object.size <= WHOLE_READ_BYTES_MAX) {
      const bytes = readWhole(object);
      if (bytes === null || hash('md5', bytes, 'hex') !== object.etag) {
        // Small enough to look before sending: nobody gets to see the damage.
        onQuarantine(context, place)('ETag and the MD5 of the file do not match');
        quarantine(place.device, object.file, world.random);
        return answer(404, http);
      }
      if (forget && object.size > 0) dropCache(object.fd, 0, object.size);
      return { status, headers, body: status === 206 ? bytes.subarray(start, end) : bytes };
    }
    keepOpen = true;
    return { status, headers, body: new ObjectStream(context, request, object, start, end, forget) };
  } finally {
    if (!keepOpen) closeSync(object.fd);
  }
}

/** HEAD: the headers of the object. */
export function headObject(context: ObjectServerContext, request: ObjectRequest): ServerResponse {
  const { http, place } = request;
  const found = openKnownObject(place, context.world.random, onQuarantine(context, place));
  if (found.state === 'gone') return answer(404, http);
  const { object } = found;
  closeSync(object.fd);
  if (isExpired(object.metadata, context.world.clock.now() / 1000)) return answer(404, http);
  const headers = objectHeaders(context, object);
  if (judgeHead(http.headers, object.etag, object.timestamp) === 'unchanged')
    return unchanged(headers, 'content-');
  const part = partOf(http, object, headers);
  if (!part) return { ...refusedRange(http, object), body: null };
  return { status: part.status, headers, body: null };
}

/** The part of an object that a request asks for, noted in the headers of its answer; null if it cannot be had. */
function partOf(
  { headers: asked }: ObjectRequest['http'],
  { etag, timestamp, size }: OpenObject,
  headers: Headers,
): { status: 200 | 206; start: number; end: number } | null {
  const range = ifRangeHolds(asked, etag, timestamp) ? readRange(asked.get('range'), size) : null;
  if (range?.kind === 'unsatisfiable') return null;
  if (range?.kind !== 'part') return { status: 200, start: 0, end: size };
  const { start, end } = range;
  headers.set('content-range', `bytes ${start}-${end - 1}/${size}`);
  headers.set('content-length', String(end - start));
  return { status: 206, start, end };
}

function refusedRange(http: ObjectRequest['http'], object: OpenObject): ServerResponse {
  const range = readRange(http.headers.get('range'), object.size);
  const shown = range.kind === 'unsatisfiable' ? range.shown : '';
  return answer(416, http, {
    body: `Requested range not satisfiable: ${shown}`,
    contentType: 'text/plain',
  });
}

/** 304, without the headers that begin like these. */
function unchanged(headers: Headers, ...without: string[]): ServerResponse {
  for (const name of headers.keys()) {
    if (without.some(beginning => name.startsWith(beginning))) headers.delete(name);
  }
  return { status: 304, headers, body: null };
}

function objectHeaders({ options }: ObjectServerContext, object: OpenObject): Headers {
  const { metadata } = object;
  const headers: Headers = new Map();
  headers.set('content-length', String(object.size));
  const type = metadata['Content-Type'];
  headers.set('content-type', typeof type === 'string' ? type : 'application/octet-stream');
  headers.set('last-modified', httpDate(Number(object.timestamp) * 1000));
  headers.set('etag', object.etag);
  headers.set('x-timestamp', object.timestamp);
  for (const key in metadata) {
    if (COMMON_KEYS.has(key)) continue;
    const name = lowerName(key);
    if (name.startsWith('x-object-meta-') || options.allowedHeaders.includes(name)) {
      headers.set(name, String(metadata[key]));
    }
  }
  return headers;
}

const COMMON_KEYS = new Set(['name', 'Content-Type', 'Content-Length', 'ETag', 'X-Timestamp']);

function forgetsAfterReading(
  { options }: ObjectServerContext,
  { http }: ObjectRequest,
  object: OpenObject,
): boolean {
  if (object.size >= options.keepCacheSize) return true;
  if (options.keepCachePrivate) return false;
  return http.headers.has('x-auth-token') || http.headers.has('x-storage-token');
}

function readWhole(object: OpenObject): Buffer | null {
  const bytes = Buffer.allocUnsafe(object.size);
  for (let at = 0; at < object.size; ) {
    const count = readSync(object.fd, bytes, at, object.size - at, at);
    if (count === 0) return null;
    at += count;
  }
  return bytes;
}

/** Bytes of an object on their way from the disk. */
interface Piece {
  slab: Slab;
  length: number;
}

/**
 * A large object's bytes, pulled chunk by chunk, while the next is read and the last is digested; a whole read that
 * proves damaged sends the object to quarantine.
 */
class ObjectStream implements BodyStream {
  readonly #context: ObjectServerContext;
  readonly #request: ObjectRequest;
  readonly #object: OpenObject;
  readonly #end: number;
  readonly #forget: boolean;
  readonly #md5: Digest | null;
  #digesting: Promise<void> = Promise.resolve();
  #at: number;
  #forgotten: number;
  #closed = false;
  #reading = false;
  /** The chunk after the one given out. */
  #ahead: Promise<Piece | null> | null = null;

  constructor(
    context: ObjectServerContext,
    request: ObjectRequest,
    object: OpenObject,
    start: number,
    end: number,
    forget: boolean,
  ) {
    this.#context = context;
    this.#request = request;
    this.#object = object;
    this.#at = start;
    this.#forgotten = start;
    this.#end = end;
    this.#forget = forget;
    const whole = start === 0 && end === object.size;
    this.#md5 = !whole ? null : object.size <= DIRECT_SUM_BYTES_MAX ? directMd5() : threadedMd5();
  }

  async read(): Promise<Buffer | null> {
    if (this.#closed) return null;
    const piece = await (this.#ahead ?? this.#next());
    this.#ahead = null;
    // The sum is made of one chunk at a time: nothing piles up before the thread that makes it.
    await this.#digesting;
    if (this.#closed) return null;
    if (piece === null) {
      await this.#finish();
      return null;
    }
    this.#ahead = this.#next();
    // A failure shows when the chunk is asked for, not before.
    this.#ahead.catch(() => {});
    const { slab, length } = piece;
    const chunk = lendSlab(slab, length, this.#md5 ? 2 : 1);
    if (this.#md5) this.#digesting = this.#digest(this.#md5, slab, chunk);
    return chunk;
  }

  async #digest(md5: Digest, slab: Slab, chunk: Buffer): Promise<void> {
    try {
      await md5.update(slab.memory, chunk.length);
      releaseSlab(chunk);
    } catch {
      // Shows at the end; the bytes themselves are none the worse.
    }
  }

  cancel(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#md5?.drop();
    if (!this.#reading) this.#close();
  }

  #next(): Promise<Piece | null> {
    const length = Math.min(this.#context.options.diskChunkSize, this.#end - this.#at);
    if (length <= 0) return Promise.resolve(null);
    this.#reading = true;
    const slab = takeSlab();
    return new Promise((resolve, reject) => {
      read(this.#object.fd, slab.bytes, 0, length, this.#at, (error, count) => {
        this.#reading = false;
        if (this.#closed) this.#close();
        if (error) return reject(error);
        if (count === 0) return reject(new Error(`${this.#object.file} is shorter than it was`));
        this.#at += count;
        if (this.#forget && !this.#closed && this.#at - this.#forgotten > FORGET_STEP) {
          dropCache(this.#object.fd, this.#forgotten, this.#at - this.#forgotten);
          this.#forgotten = this.#at;
        }
        resolve({ slab, length: count });
      });
    });
  }

  async #finish(): Promise<void> {
    this.#closed = true;
    if (this.#forget) dropCache(this.#object.fd, this.#forgotten, this.#at - this.#forgotten);
    this.#close();
    if (this.#md5) await this.#compare(this.#md5);
  }

  async #compare(md5: Digest): Promise<void> {
    const { place } = this.#request;
    const { world } = this.#context;
    try {
      if ((await md5.finish()) === this.#object.etag) return;
      onQuarantine(this.#context, place)('ETag and the MD5 of the file do not match');
      quarantine(place.device, this.#object.file, world.random);
    } catch (error) {
      world.log.error('could not check an object that was read', { path: place.directory, error });
    }
  }

  #close(): void {
    close(this.#object.fd, () => {});
  }
}
