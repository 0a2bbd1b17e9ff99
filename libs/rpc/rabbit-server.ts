import { createHash } from 'node:crypto';
import { metricsOf, must, type World } from '@folsom/core';
import type { Channel, ConsumeMessage } from 'amqplib';
import { attempt } from './attempt.ts';
import type { Served, ServeOptions } from './bus.ts';
import { deadText } from './dead-letter.ts';
import type { Outcome } from './dispatch.ts';
import { RPC_LIMITS } from './limits.ts';
import { rpcMetrics } from './metrics.ts';
import { lastingQueue, type RabbitOptions } from './options.ts';
import { openChannel, type RabbitConnection, type Session } from './rabbit-connection.ts';
import { type RabbitPublisher, SENT } from './rabbit-publisher.ts';
import { recentIds } from './recent-ids.ts';
import type { Body } from './wire.ts';

interface Delivery {
  channel: Channel;
  message: ConsumeMessage;
  /** Where it came from; null for a fan-out. */
  queue: string | null;
}

/** Header that counts the attempts at a message; Folsom's daemons do not look at headers. */
const ATTEMPT = 'x-folsom-attempt';

/**
 * Consumes a topic's three queues. A message is acknowledged when its handler has finished (Folsom does so before it
 * begins, and loses the message when the process dies): at least once instead of at most once, with handlers that may
 * be repeated. What comes again to a process that still works on it, or has finished it, is not run twice.
 */
export async function rabbitServer(
  connection: RabbitConnection,
  publisher: RabbitPublisher,
  options: RabbitOptions,
  serve: ServeOptions,
  world: World,
): Promise<Served> {
  const { topic, host } = serve;
  const fanoutQueue = `${topic}_fanout_${world.random.hex(32)}`;
  /** What is worked on, with the delivery to acknowledge, which a redelivery replaces. */
  const running = new Map<string, Delivery>();
  const finished = recentIds(RPC_LIMITS.rememberedIdsMax);
  const idle: (() => void)[] = [];
  let channel: Channel | undefined;
  let tags: string[] = [];
  let stopped = false;
  let repeated = 0;
  const metrics = metricsOf(world);
  const untold = metrics.read(rpcMetrics.working, () => [[[topic], running.size]]);

  const setUp = async (session: Session) => {
    if (stopped) return;
    const own = await openChannel(session);
    channel = own;
    await own.prefetch(options.rpc_thread_pool_size);
    for (const name of [topic, `${topic}.${host}`]) {
      await own.assertQueue(name, lastingQueue(options));
      await own.bindQueue(name, options.control_exchange, name);
    }
    await own.assertExchange(`${topic}_fanout`, 'fanout', { durable: false, autoDelete: true });
    await own.assertQueue(fanoutQueue, { durable: false, autoDelete: true, exclusive: true });
    await own.bindQueue(fanoutQueue, `${topic}_fanout`, topic);
    tags = [];
    for (const name of [topic, `${topic}.${host}`, fanoutQueue]) {
      const consumed = await own.consume(name, message =>
        receive(own, message, name === fanoutQueue ? null : name),
      );
      tags.push(consumed.consumerTag);
    }
    // Closed by the broker alone (a deleted queue, its own time limits): a new channel takes its place.
    own.on('close', () => {
      if (stopped || session.ended || channel !== own) return;
      world.log.warn('a channel to the message broker is lost', { topic });
      void reopen(session);
    });
  };

  const reopen = async (session: Session) => {
    while (!stopped && !session.ended) {
      await world.clock.sleep(1000);
      try {
        if (!stopped && !session.ended) await setUp(session);
        return;
      } catch (error) {
        world.log.error('a topic cannot be consumed', { topic, why: (error as Error).message });
      }
    }
  };

  const receive = (from: Channel, message: ConsumeMessage | null, queue: string | null) => {
    // The broker ended this consumer; closing the channel brings a new one.
    if (message === null) return void from.close().catch(() => {});
    const body = parse(message.content);
    if (body === undefined) {
      world.log.error('an RPC message is not a JSON object; dropped', {
        topic,
        bytes: message.content.length,
      });
      return ack({ channel: from, message, queue });
    }
    const msgId = typeof body._msg_id === 'string' ? body._msg_id : undefined;
    const ownId = message.properties.messageId as string | undefined;
    const header = Number(message.properties.headers?.[ATTEMPT] ?? 1);
    const number = Number.isInteger(header) && header > 0 ? header : 1;
    const named = ownId ?? msgId ?? nameOf(from, message);
    // Given back, it comes again under its name: each attempt is a message of its own.
    const id = number === 1 ? named : `${named}#${number}`;
    const delivery = { channel: from, message, queue };
    if (finished.has(id)) return ack(delivery);
    const again = running.has(id);
    running.set(id, delivery);
    if (message.fields.redelivered) metrics.add(rpcMetrics.redelivered, [topic, 'broker']);
    const sentAt = Number(message.properties.headers?.[SENT] ?? Number.NaN);
    const own = {
      id,
      named,
      number: msgId === undefined && queue !== null ? number : undefined,
      sentAt: Number.isFinite(sentAt) ? sentAt : undefined,
    };
    if (!again) void work(own, body, msgId, ownId);
  };

  /**
   * Folsom's casts have no id and are known by their content. A redelivered one belongs to work that has lost its
   * channel; equal ones that come anew are each a message of their own.
   */
  const nameOf = (from: Channel, message: ConsumeMessage): string => {
    const name = createHash('sha1').update(message.content).digest('hex');
    if (message.fields.redelivered) {
      for (const [id, delivery] of running) if (id.startsWith(name) && delivery.channel !== from) return id;
      return name;
    }
    return running.has(name) || finished.has(name) ? `${name}-${repeated++}` : name;
  };

  const work = async (
    own: { id: string; named: string; number: number | undefined; sentAt: number | undefined },
    body: Body,
    msgId: string | undefined,
    ownId: string | undefined,
  ) => {
    const { id } = own;
    const settlement = await attempt(world, serve, body, own.number, own.sentAt);
    if ('outcome' in settlement) {
      if (msgId !== undefined) {
        await reply(msgId, ownId, settlement.outcome).catch(error =>
          world.log.error('a reply could not be sent', {
            topic,
            method: body.method,
            why: (error as Error).message,
          }),
        );
      }
    } else if (
      !(await putAside(own.named, must(running.get(id), 'running has id'), own.number ?? 1, settlement))
    ) {
      // The broker is away as well: it keeps the message, and brings it again with the next connection.
      running.delete(id);
      return ended();
    }
    const delivery = running.get(id);
    running.delete(id);
    finished.add(id);
    if (delivery !== undefined) ack(delivery);
    ended();
  };

  const ended = () => {
    if (running.size === 0) for (const done of idle.splice(0)) done();
  };

  /** Sends it into a queue that gives it back after a time, or among the dead letters. Answers whether that worked. */
  const putAside = async (
    messageId: string,
    { message, queue }: Delivery,
    number: number,
    settlement: { againMs: number } | { dead: string },
  ): Promise<boolean> => {
    const text = message.content.toString('utf8');
    const headers = { ...message.properties.headers };
    try {
      if ('againMs' in settlement) {
        const to = { kind: 'later', queue: queue ?? topic, pauseMs: settlement.againMs } as const;
        await publisher.publish(to, text, {
          messageId,
          headers: { ...headers, [ATTEMPT]: String(number + 1) },
        });
      } else {
        const why = { 'x-folsom-reason': settlement.dead.slice(0, 1000), 'x-folsom-queue': queue ?? topic };
        await publisher.publish({ kind: 'dead' }, deadText(text), {
          messageId,
          headers: { ...headers, ...why },
        });
      }
      return true;
    } catch (error) {
      world.log.error('a message could not be given back; the broker still has it', { topic, error });
      return false;
    }
  };

  const reply = async (msgId: string, correlationId: string | undefined, outcome: Outcome) => {
    // Into the queue itself: publishing to the caller's own exchange would fail the whole channel once it is gone.
    const to = { kind: 'queue', name: msgId } as const;
    const properties = correlationId === undefined ? {} : { correlationId };
    if ('failure' in outcome) {
      return publisher.publish(
        to,
        `{"result": null, "failure": ${JSON.stringify(outcome.failure)}}`,
        properties,
      );
    }
    await Promise.all([
      publisher.publish(to, `{"result": ${outcome.result}, "failure": null}`, properties),
      publisher.publish(to, '{"result": null, "failure": null, "ending": true}', properties),
    ]);
  };

  const removeSetup = connection.onSession(setUp);
  for (;;) {
    const session = await connection.session(Number.MAX_SAFE_INTEGER);
    // A session made after onSession() has been set up already.
    if (channel !== undefined) break;
    try {
      await setUp(session);
      break;
    } catch (error) {
      if (!session.ended) {
        removeSetup();
        throw error;
      }
    }
  }

  return {
    async stop() {
      if (stopped) return;
      stopped = true;
      untold();
      removeSetup();
      const own = channel;
      for (const tag of tags) await own?.cancel(tag).catch(() => {});
      if (running.size > 0) {
        await new Promise<void>(resolve => {
          const timer = world.clock.after(RPC_LIMITS.stopGraceMs, resolve);
          idle.push(() => {
            timer.cancel();
            resolve();
          });
        });
      }
      // What is still unfinished goes back to the broker.
      await own?.close().catch(() => {});
    },
  };
}

function ack({ channel, message }: Delivery): void {
  try {
    channel.ack(message);
  } catch {
    // The channel is gone; the broker delivers again and the id is recognised.
  }
}

function parse(content: Buffer): Body | undefined {
  if (content.length > RPC_LIMITS.messageBytesMax) return undefined;
  try {
    const value: unknown = JSON.parse(content.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : undefined;
  } catch {
    return undefined;
  }
}
