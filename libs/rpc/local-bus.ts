import { metricsOf, must, type RequestContext, theLoop, type World } from '@folsom/core';
import { attempt } from './attempt.ts';
import type { Bus, CallOptions, Delivered, Message, Served, ServeOptions } from './bus.ts';
import type { Outcome } from './dispatch.ts';
import { decodeFailure, type FaultStatus } from './failure.ts';
import { rpcFault } from './faults.ts';
import { RPC_LIMITS } from './limits.ts';
import { rpcMetrics, topicLabel } from './metrics.ts';
import { trace } from './trace.ts';
import { type Body, packNotificationContext, requestBody } from './wire.ts';

export interface LocalBusOptions {
  faultStatus?: FaultStatus;
  /** Milliseconds a call waits unless it says otherwise. */
  responseTimeoutMs?: number;
}

export type NotificationListener = (routingKey: string, body: Body) => void;

/** The bus in one process. Bodies are what the broker would carry, as text, so that nothing shares memory. */
export interface LocalBus extends Bus {
  /** Sees every notification with its routing key, e.g. `notifications.info`. */
  onNotification(listener: NotificationListener): () => void;
  /** Takes a server away as if its process had died: its unfinished messages go to the remaining workers. */
  crash(served: Served): void;
}

interface Delivery {
  text: string;
  /** Called once with the handler's outcome; casts have none. */
  reply: ((outcome: Outcome) => void) | undefined;
  /** Called once when its sender may forget it. */
  settled?: (delivered: Delivered) => void;
  /** Attempts so far, this one included; of one that is not tried again, undefined. */
  attempt: number | undefined;
  /** When it was handed over, in milliseconds since the epoch. */
  sentAt: number;
  /** Set once the caller no longer waits; such a message is not started. */
  expired: boolean;
}

interface Queue {
  name: string;
  workers: Worker[];
  /** Index of the worker whose turn it is. */
  turn: number;
  pending: Delivery[];
}

interface Worker {
  options: ServeOptions;
  queues: Queue[];
  running: Map<Delivery, Queue>;
  dead: boolean;
  idle: (() => void)[];
}

export function createLocalBus(world: World, options: LocalBusOptions = {}): LocalBus {
  const responseTimeoutMs = options.responseTimeoutMs ?? 60_000;
  const queues = new Map<string, Queue>();
  const fanouts = new Map<string, Set<Worker>>();
  const workers = new Map<Served, Worker>();
  const listeners = new Set<NotificationListener>();
  /** Rejects of calls under way. */
  const waiting = new Set<(error: unknown) => void>();
  let closed = false;
  const now = () => world.clock.now();
  const untold = tell(world, queues, workers);

  const queueOf = (name: string): Queue => {
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = { name, workers: [], turn: 0, pending: [] };
      queues.set(name, queue);
    }
    return queue;
  };

  const freeWorker = (queue: Queue): Worker | undefined => {
    for (let step = 0; step < queue.workers.length; step++) {
      const index = (queue.turn + step) % queue.workers.length;
      const worker = must(queue.workers[index], 'index is in workers');
      if (worker.running.size < RPC_LIMITS.handlersMax) {
        queue.turn = (index + 1) % queue.workers.length;
        return worker;
      }
    }
    return undefined;
  };

  const enqueue = (queue: Queue, delivery: Delivery) => {
    const worker = freeWorker(queue);
    if (worker !== undefined) return start(worker, queue, delivery);
    queue.pending.push(delivery);
  };

  const start = (worker: Worker, queue: Queue, delivery: Delivery) => {
    worker.running.set(delivery, queue);
    // The next turn of the loop: a caller never runs its server's handler on its own stack.
    setImmediate(() => void run(worker, queue, delivery));
  };

  const run = async (worker: Worker, queue: Queue, delivery: Delivery) => {
    if (worker.dead) return;
    await work(worker, queue, delivery);
    if (worker.dead) return;
    for (const own of worker.queues) drain(own);
    if (worker.running.size === 0) for (const done of worker.idle.splice(0)) done();
  };

  const work = async (worker: Worker, queue: Queue, delivery: Delivery) => {
    if (delivery.expired) return void worker.running.delete(delivery);
    const body = JSON.parse(delivery.text) as Body;
    // Of one process with those who answer requests, and less urgent.
    const settlement = await theLoop.background(() =>
      attempt(world, worker.options, body, delivery.attempt, delivery.sentAt),
    );
    if (worker.dead) return;
    worker.running.delete(delivery);
    if ('againMs' in settlement) {
      delivery.attempt = (delivery.attempt ?? 1) + 1;
      world.clock.after(settlement.againMs, () => {
        if (!closed) enqueue(queue, delivery);
      });
    } else if ('dead' in settlement) delivery.settled?.({ dead: settlement.dead });
    else {
      delivery.reply?.(settlement.outcome);
      delivery.settled?.({});
    }
  };

  const drain = (queue: Queue) => {
    while (queue.pending.length > 0) {
      if (must(queue.pending[0], 'pending is not empty').expired) {
        queue.pending.shift();
        continue;
      }
      const worker = freeWorker(queue);
      if (worker === undefined) return;
      start(worker, queue, must(queue.pending.shift(), 'pending is not empty'));
    }
  };

  const detach = (worker: Worker) => {
    for (const queue of worker.queues) {
      queue.workers = queue.workers.filter(other => other !== worker);
      queue.turn = 0;
    }
    worker.queues = [];
    fanouts.get(worker.options.topic)?.delete(worker);
  };

  const encode = (body: Body): string => {
    if (closed) throw rpcFault('RpcClosed');
    const text = JSON.stringify(body);
    if (text.length > RPC_LIMITS.messageBytesMax) {
      throw rpcFault('RpcMessageTooLarge', { bytes: text.length, limit: RPC_LIMITS.messageBytesMax });
    }
    return text;
  };

  const bus: LocalBus = {
    async call(context, topic, message, callOptions: CallOptions = {}) {
      const traced = trace(world, context, 'call', topic, message.method);
      try {
        const text = encode(requestBody(traced.context, message));
        const outcome = await new Promise<Outcome>((resolve, reject) => {
          const delivery: Delivery = {
            text,
            attempt: undefined,
            sentAt: now(),
            expired: false,
            reply: result => {
              settled();
              resolve(result);
            },
          };
          const giveUp = (error: unknown) => {
            settled();
            delivery.expired = true;
            reject(error);
          };
          const timer = world.clock.after(callOptions.timeoutMs ?? responseTimeoutMs, () =>
            giveUp(rpcFault('RpcTimeout')),
          );
          const settled = () => {
            timer.cancel();
            waiting.delete(giveUp);
          };
          waiting.add(giveUp);
          enqueue(queueOf(topic), delivery);
        });
        if ('failure' in outcome) throw decodeFailure(outcome.failure, { faultStatus: options.faultStatus });
        traced.end();
        return JSON.parse(outcome.result) as unknown;
      } catch (error) {
        traced.end(error);
        throw error;
      }
    },

    async cast(context, topic, message) {
      const traced = trace(world, context, 'cast', topic, message.method);
      const text = encode(requestBody(traced.context, message));
      enqueue(queueOf(topic), { text, sentAt: now(), expired: false, reply: undefined, attempt: 1 });
      traced.end();
    },

    deliver({ topic, text }) {
      if (closed) {
        const refused = Promise.reject(rpcFault('RpcClosed'));
        refused.catch(() => {});
        return { taken: refused, done: refused };
      }
      // Never settled when the bus closes: the sender still has it, and hands it on at the next start.
      const done = new Promise<Delivered>(settled => {
        enqueue(queueOf(topic), {
          text,
          sentAt: now(),
          expired: false,
          reply: undefined,
          attempt: 1,
          settled,
        });
      });
      return { taken: Promise.resolve(), done };
    },

    async fanout(context: RequestContext, topic: string, message: Message) {
      const traced = trace(world, context, 'cast', `${topic}_fanout`, message.method);
      const text = encode(requestBody(traced.context, message));
      for (const worker of fanouts.get(topic) ?? []) {
        // Of nobody's queue: what is left of it when its worker dies goes nowhere.
        const own: Queue = { name: `${topic}_fanout`, workers: [], turn: 0, pending: [] };
        start(worker, own, { text, sentAt: now(), expired: false, reply: undefined, attempt: undefined });
      }
      traced.end();
    },

    async serve(serveOptions) {
      if (closed) throw rpcFault('RpcClosed');
      const { topic, host } = serveOptions;
      const worker: Worker = {
        options: serveOptions,
        queues: [queueOf(topic), queueOf(`${topic}.${host}`)],
        running: new Map(),
        dead: false,
        idle: [],
      };
      for (const queue of worker.queues) queue.workers.push(worker);
      const fanout = fanouts.get(topic) ?? new Set();
      fanouts.set(topic, fanout.add(worker));
      const served: Served = {
        stop: async () => {
          detach(worker);
          workers.delete(served);
          if (worker.running.size === 0) return;
          await new Promise<void>(resolve => {
            const timer = world.clock.after(RPC_LIMITS.stopGraceMs, resolve);
            worker.idle.push(() => {
              timer.cancel();
              resolve();
            });
          });
        },
      };
      workers.set(served, worker);
      for (const queue of worker.queues) drain(queue);
      return served;
    },

    async notify(context, topic, priority, payload) {
      const text = encode({ ...(context && packNotificationContext(context)), ...payload });
      for (const listener of listeners)
        listener(`${topic}.${priority.toLowerCase()}`, JSON.parse(text) as Record<string, unknown>);
    },

    async ready() {
      if (closed) throw rpcFault('RpcClosed');
    },

    async close() {
      await Promise.all([...workers.keys()].map(served => served.stop()));
      closed = true;
      untold();
      for (const giveUp of [...waiting]) giveUp(rpcFault('RpcClosed'));
    },

    onNotification(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    crash(served) {
      const worker = workers.get(served);
      if (worker === undefined) return;
      workers.delete(served);
      detach(worker);
      worker.dead = true;
      for (const [delivery, queue] of worker.running) enqueue(queue, delivery);
      worker.running.clear();
    },
  };
  return bus;
}

/** What waits and what is worked on, for whoever looks. */
function tell(
  world: World,
  queues: ReadonlyMap<string, Queue>,
  workers: ReadonlyMap<Served, Worker>,
): () => void {
  const metrics = metricsOf(world);
  metrics.declare(rpcMetrics);
  const ended = [
    metrics.read(rpcMetrics.waiting, () =>
      [...queues.values()].map(({ name, pending }) => [[topicLabel(name)], pending.length]),
    ),
    metrics.read(rpcMetrics.working, () =>
      [...workers.values()].map(({ options, running }) => [[options.topic], running.size]),
    ),
    metrics.read(rpcMetrics.connected, () => [[[], 1]]),
  ];
  return () => {
    for (const end of ended) end();
  };
}
