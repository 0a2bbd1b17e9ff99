import { metricsOf, type RequestContext, type World } from '@folsom/core';
import type { Bus, Message, Served } from './bus.ts';
import { decodeFailure, type FaultStatus } from './failure.ts';
import { rpcFault } from './faults.ts';
import { rpcMetrics } from './metrics.ts';
import type { RabbitOptions } from './options.ts';
import { rabbitConnection } from './rabbit-connection.ts';
import { rabbitPublisher } from './rabbit-publisher.ts';
import { rabbitServer } from './rabbit-server.ts';
import { type ReplySlot, replySlots } from './reply-slots.ts';
import { trace } from './trace.ts';
import { packNotificationContext, requestBody } from './wire.ts';

export interface RabbitBusOptions {
  options: RabbitOptions;
  world: World;
  /** Status of a fault by its name, where a service's catalogue knows better than the wire. */
  faultStatus?: FaultStatus;
}

/** How long /readyz waits for a broker that is away. */
const READY_MS = 2000;

/** The bus over RabbitMQ in Folsom's wire format. Connects in the background and for ever; `serve` waits for it. */
export function createRabbitBus({ options, world, faultStatus }: RabbitBusOptions): Bus {
  const metrics = metricsOf(world);
  metrics.declare(rpcMetrics);
  const connection = rabbitConnection(options, world);
  metrics.read(rpcMetrics.connected, () => [[[], connection.connected() ? 1 : 0]]);
  const publisher = rabbitPublisher(connection, options, world);
  const slots = replySlots(connection, world);
  const servers = new Set<Served>();
  const pending = new Set<(error: unknown) => void>();
  const reading = { modules: options.allowed_rpc_exception_modules, faultStatus };

  const request = async (
    context: RequestContext,
    topic: string,
    message: Message,
    timeoutMs: number,
  ): Promise<unknown> => {
    const started = world.clock.monotonic();
    const left = () => Math.max(1, timeoutMs - (world.clock.monotonic() - started));
    let acquiring: Promise<ReplySlot> | undefined;
    let clean = false;
    let sent = false;
    try {
      const messageId = world.random.hex(32);
      const answered = Promise.withResolvers<unknown>();
      // Settled by whichever comes first; the others must not count as unhandled.
      answered.promise.catch(() => {});
      pending.add(answered.reject);
      const timer = world.clock.after(timeoutMs, () => answered.reject(rpcFault('RpcTimeout')));
      let last: unknown = null;
      try {
        const listener = (text: string, correlationId: string | undefined) => {
          if (correlationId !== undefined && correlationId !== messageId) return;
          const reply = readReply(text);
          if (reply === undefined) return;
          if (reply.failure) {
            clean = true;
            answered.reject(decodeFailure(reply.failure, reading));
          } else if (reply.ending === true) {
            clean = true;
            answered.resolve(last);
          } else last = reply.result ?? null;
        };
        acquiring = slots.acquire(left(), listener);
        const slot = await Promise.race([acquiring, answered.promise as Promise<never>]);
        const text = JSON.stringify(requestBody(context, message, slot.id));
        sent = true;
        const published = publisher.publish({ kind: 'topic', name: topic }, text, {
          messageId,
          timeoutMs: left(),
          // Nobody waits for the answer afterwards, so the work need not be begun.
          expirationMs: Math.ceil(left()),
        });
        published.catch(answered.reject);
        return await answered.promise;
      } finally {
        timer.cancel();
        pending.delete(answered.reject);
      }
    } finally {
      // One that comes too late for its call has not been used.
      acquiring?.then(
        slot => slots.release(slot, clean || !sent),
        () => {},
      );
    }
  };

  return {
    async call(context, topic, message, callOptions = {}) {
      const traced = trace(world, context, 'call', topic, message.method);
      try {
        const timeoutMs = callOptions.timeoutMs ?? options.rpc_response_timeout * 1000;
        const result = await request(traced.context, topic, message, timeoutMs);
        traced.end();
        return result;
      } catch (error) {
        traced.end(error);
        throw error;
      }
    },

    async cast(context, topic, message) {
      const traced = trace(world, context, 'cast', topic, message.method);
      const text = JSON.stringify(requestBody(traced.context, message));
      await publisher.publish({ kind: 'topic', name: topic }, text, { messageId: world.random.hex(32) });
      traced.end();
    },

    deliver({ id, topic, text }) {
      const taken = publisher.publish({ kind: 'topic', name: topic }, text, { messageId: id });
      const done = taken.then(() => ({}));
      done.catch(() => {});
      return { taken, done };
    },

    async fanout(context, topic, message) {
      const traced = trace(world, context, 'cast', `${topic}_fanout`, message.method);
      const text = JSON.stringify(requestBody(traced.context, message));
      await publisher.publish({ kind: 'fanout', topic }, text, { messageId: world.random.hex(32) });
      traced.end();
    },

    async serve(serveOptions) {
      const server = await rabbitServer(connection, publisher, options, serveOptions, world);
      const served: Served = {
        stop: async () => {
          servers.delete(served);
          await server.stop();
        },
      };
      servers.add(served);
      return served;
    },

    async notify(context, topic, priority, payload) {
      const text = JSON.stringify({ ...(context && packNotificationContext(context)), ...payload });
      const name = `${topic}.${priority.toLowerCase()}`;
      await publisher.publish({ kind: 'topic', name }, text, { messageId: world.random.hex(32) });
    },

    async ready() {
      await connection.session(READY_MS);
    },

    async close() {
      await Promise.all([...servers].map(served => served.stop()));
      for (const reject of pending) reject(rpcFault('RpcClosed'));
      await connection.close();
    },
  };
}

interface Reply {
  result?: unknown;
  failure?: unknown;
  ending?: unknown;
}

function readReply(text: string): Reply | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
