import type { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { type Clock, type Logger, must, type Timer } from '@folsom/core';
import { QUESTIONS } from './questions.ts';

/** Threads at most; each is started when the others are busy. Questions never wait behind guests that are being started. */
const THREADS = { questions: 2, changes: 3 };
type Purpose = keyof typeof THREADS;

/** Why a call failed, as the thread that made it knows. */
export interface Failure {
  message: string;
  code: number;
  /** The connection is gone; with `unsent` the call was never made. */
  lost?: boolean;
  unsent?: boolean;
}

export class LibvirtError extends Error {
  override name = 'libvirtError';
  readonly code: number;
  readonly lost: boolean;
  readonly unsent: boolean;
  constructor({ message, code, lost = false, unsent = false }: Failure) {
    super(message);
    this.code = code;
    this.lost = lost;
    this.unsent = unsent;
  }
}

/** A thread that answers one call after another; what it is told and tells stands in worker.ts. */
export type CallWorker = EventEmitter & Pick<Worker, 'postMessage' | 'ref' | 'unref' | 'terminate'>;

interface Call {
  operation: string;
  values: unknown[];
  limitMs: number;
  resolve(value: never): void;
  reject(error: Error): void;
}

interface Thread {
  purpose: Purpose;
  worker: CallWorker;
  current: { id: number; call: Call; timer: Timer } | undefined;
}

export interface CallThreads {
  /**
   * Makes a call when a thread is free. `limitMs` counts from then on: that others were before it says nothing about
   * it, and a thread that has hung is given up with this one call.
   * @throws LibvirtError
   */
  send<T>(limitMs: number, operation: string, values: unknown[]): Promise<T>;
  /** Ends all threads; what was asked of them is lost. */
  close(): Promise<void>;
}

/** The threads that libvirt is called from: a call that waits for its turn waits for whichever is free first. */
export function callThreads(options: { start(): CallWorker; clock: Clock; log: Logger }): CallThreads {
  const { clock, log } = options;
  const threads: Thread[] = [];
  const waiting: Record<Purpose, Call[]> = { questions: [], changes: [] };
  let serial = 0;
  let closed = false;

  const end = (thread: Thread): Call | undefined => {
    const call = thread.current?.call;
    thread.current?.timer.cancel();
    thread.current = undefined;
    return call;
  };

  const start = (purpose: Purpose): Thread => {
    const worker = options.start();
    const thread: Thread = { purpose, worker, current: undefined };
    worker.unref();
    worker.on('message', ([id, error, result]: [number, Failure | null, never]) => {
      if (thread.current?.id !== id) return;
      const call = end(thread);
      worker.unref();
      if (error === null) call?.resolve(result);
      else call?.reject(new LibvirtError(error));
      next(purpose);
    });
    const gone = (error: Error) => {
      const at = threads.indexOf(thread);
      if (at >= 0) threads.splice(at, 1);
      end(thread)?.reject(new LibvirtError({ message: error.message, code: -1, lost: true }));
      next(purpose);
    };
    worker.on('error', (error: Error) => {
      log.error('the libvirt thread failed', { error });
      gone(error);
    });
    worker.on('exit', () => gone(new Error('the libvirt thread ended')));
    threads.push(thread);
    return thread;
  };

  const free = (purpose: Purpose): Thread | undefined => {
    const mine = threads.filter(thread => thread.purpose === purpose);
    const idle = mine.find(({ current }) => current === undefined);
    return idle ?? (mine.length < THREADS[purpose] ? start(purpose) : undefined);
  };

  function next(purpose: Purpose): void {
    while (!closed && waiting[purpose].length > 0) {
      const thread = free(purpose);
      if (thread === undefined) return;
      const call = must(waiting[purpose].shift(), 'somebody waits');
      const id = ++serial;
      // A call that hangs cannot be ended; its whole thread is given up.
      const timer = clock.after(call.limitMs, () => {
        log.error('a call to libvirt hangs', { operation: call.operation });
        void thread.worker.terminate();
      });
      thread.current = { id, call, timer };
      thread.worker.ref();
      thread.worker.postMessage([id, call.operation, call.values]);
    }
  }

  return {
    send: (limitMs, operation, values) =>
      new Promise((resolve, reject) => {
        const purpose = QUESTIONS.has(operation) ? 'questions' : 'changes';
        waiting[purpose].push({ operation, values, limitMs, resolve, reject });
        next(purpose);
      }),
    close: async () => {
      closed = true;
      for (const queue of Object.values(waiting)) {
        for (const { reject } of queue.splice(0))
          reject(new LibvirtError({ message: 'the connection is closed', code: -1, lost: true }));
      }
      await Promise.all(threads.splice(0).map(thread => thread.worker.terminate()));
    },
  };
}
