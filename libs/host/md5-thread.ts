import { createHash, type Hash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { must } from '@folsom/core';
import type { DigestAnswer, DigestRequest } from './md5-worker.ts';

/** An MD5 in the making. The memory given to `update` must not change until it resolves. */
export interface Digest {
  update(memory: SharedArrayBuffer, length: number): Promise<void>;
  /** One more of what was digested so far, which goes its own way from here; it has to be finished or dropped, too. */
  fork(): Digest;
  /** The digest in hexadecimal; ends it. */
  finish(): Promise<string>;
  /** Gives up an unfinished digest. */
  drop(): void;
}

/** A few threads digest for all transfers of the process, so that it runs beside the moving of bytes. */
interface DigestThread {
  /** Digests in the making. */
  load: number;
  send(request: DigestRequest): void;
  ask(request: Exclude<DigestRequest, { kind: 'drop' | 'fork' }>): Promise<DigestAnswer>;
}

const THREADS_MAX = Math.min(4, availableParallelism());
const threads: DigestThread[] = [];
let digests = 0;
let requests = 0;

function startThread(): DigestThread {
  const worker = new Worker(new URL('./md5-worker.ts', import.meta.url), {
    // The bytes are in memory of their own: the thread's heap stays small.
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 },
  });
  const waiting = new Map<number, { resolve(answer: DigestAnswer): void; reject(error: unknown): void }>();
  // An idle thread must not keep the process alive; one that owes an answer must.
  worker.unref();
  worker.on('message', (answer: DigestAnswer) => {
    waiting.get(answer.sequence)?.resolve(answer);
    waiting.delete(answer.sequence);
    if (waiting.size === 0) worker.unref();
  });
  let dead: { why: unknown } | null = null;
  const fail = (why: unknown) => {
    dead ??= { why };
    const error = dead.why;
    const at = threads.indexOf(made);
    if (at >= 0) threads.splice(at, 1);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.on('error', fail);
  worker.on('exit', () => fail(new Error('the digesting thread ended')));
  const made: DigestThread = {
    load: 0,
    send: request => worker.postMessage(request),
    ask: request =>
      new Promise((resolve, reject) => {
        if (dead) return reject(dead.why);
        if (waiting.size === 0) worker.ref();
        waiting.set(request.sequence, { resolve, reject });
        worker.postMessage(request);
      }),
  };
  return made;
}

/** The thread with the least to do; a further one while all are busy and there may be more. */
function freeThread(): DigestThread {
  const idlest = threads.toSorted((a, b) => a.load - b.load)[0];
  if (idlest && (idlest.load === 0 || threads.length >= THREADS_MAX)) return idlest;
  const thread = startThread();
  threads.push(thread);
  return thread;
}

/** A digest computed in one of the process' digesting threads, which are started when they are first needed. */
export function threadedMd5(): Digest {
  const thread = freeThread();
  thread.load += 1;
  digests += 1;
  let counted = true;
  return digestIn(thread, digests, () => {
    if (counted) thread.load -= 1;
    counted = false;
  });
}

/** The digest that a thread knows by this number. */
function digestIn(thread: DigestThread, id: number, end: () => void): Digest {
  let ended = false;
  const sequence = () => {
    requests += 1;
    return requests;
  };
  return {
    update: async (memory, length) => {
      await thread.ask({ kind: 'update', id, sequence: sequence(), memory, length });
    },
    fork: () => {
      digests += 1;
      thread.send({ kind: 'fork', id, as: digests });
      return digestIn(thread, digests, () => {});
    },
    finish: async () => {
      ended = true;
      end();
      const { digest } = await thread.ask({ kind: 'digest', id, sequence: sequence() });
      return must(digest, 'digest is there');
    },
    drop: () => {
      if (ended) return;
      ended = true;
      end();
      thread.send({ kind: 'drop', id });
    },
  };
}

/** A digest computed at once, for data too small to be worth a way to another thread. */
export const directMd5 = (): Digest => directDigest(createHash('md5'));

const directDigest = (hash: Hash): Digest => ({
  update: async (memory, length) => {
    hash.update(new Uint8Array(memory, 0, length));
  },
  fork: () => directDigest(hash.copy()),
  finish: async () => hash.digest('hex'),
  drop: () => {},
});
