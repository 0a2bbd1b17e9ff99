import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { DigestAnswer, DigestRequest } from './md5-worker.ts';

/** An MD5 in the making. The memory given to `update` must not change until it resolves. */
export interface Digest {
  update(memory: SharedArrayBuffer, length: number): Promise<void>;
  /** The digest in hexadecimal; ends it. */
  finish(): Promise<string>;
  /** Gives up an unfinished digest. */
  drop(): void;
}

/** One thread digests for all uploads of the process, so that it runs beside the receiving and the writing of bytes. */
interface DigestThread {
  send(request: DigestRequest): void;
  ask(request: Exclude<DigestRequest, { kind: 'drop' }>): Promise<DigestAnswer>;
}

let thread: DigestThread | null = null;
let digests = 0;
let requests = 0;

function startThread(): DigestThread {
  const worker = new Worker(new URL('./md5-worker.ts', import.meta.url));
  const waiting = new Map<number, { resolve(answer: DigestAnswer): void; reject(error: unknown): void }>();
  // An idle thread must not keep the process alive; one that owes an answer must.
  worker.unref();
  worker.on('message', (answer: DigestAnswer) => {
    waiting.get(answer.sequence)?.resolve(answer);
    waiting.delete(answer.sequence);
    if (waiting.size === 0) worker.unref();
  });
  const fail = (error: unknown) => {
    if (thread === made) thread = null;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.on('error', fail);
  worker.on('exit', () => fail(new Error('the digesting thread ended')));
  const made: DigestThread = {
    send: request => worker.postMessage(request),
    ask: request =>
      new Promise((resolve, reject) => {
        if (waiting.size === 0) worker.ref();
        waiting.set(request.sequence, { resolve, reject });
        worker.postMessage(request);
      }),
  };
  return made;
}

/** A digest computed in the process' digesting thread, which is started when it is first needed. */
export function threadedMd5(): Digest {
  thread ??= startThread();
  const mine = thread;
  digests += 1;
  const id = digests;
  const sequence = () => {
    requests += 1;
    return requests;
  };
  return {
    update: async (memory, length) => {
      await mine.ask({ kind: 'update', id, sequence: sequence(), memory, length });
    },
    finish: async () => (await mine.ask({ kind: 'digest', id, sequence: sequence() })).digest!,
    drop: () => mine.send({ kind: 'drop', id }),
  };
}

/** A digest computed at once, for data too small to be worth a way to another thread. */
export function directMd5(): Digest {
  const hash = createHash('md5');
  return {
    update: async (memory, length) => {
      hash.update(new Uint8Array(memory, 0, length));
    },
    finish: async () => hash.digest('hex'),
    drop: () => {},
  };
}
