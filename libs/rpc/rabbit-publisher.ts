import type { World } from '@folsom/core';
import { rpcFault } from './faults.ts';
import { RPC_LIMITS } from './limits.ts';
import { addressOf, lastingQueue, type RabbitOptions } from './options.ts';
import { openChannel, type RabbitConnection, type Session } from './rabbit-connection.ts';

export interface PublishOptions {
  messageId?: string;
  correlationId?: string;
  /** Milliseconds after which the broker may drop it. */
  expirationMs?: number;
  /** Milliseconds to keep trying. */
  timeoutMs?: number;
  headers?: Record<string, unknown>;
}

/** What must exist on the broker for a message to arrive. */
export type Destination =
  | { kind: 'topic'; name: string }
  | { kind: 'fanout'; topic: string }
  /** Straight into the queue of this name. */
  | { kind: 'queue'; name: string }
  /** Into that queue, after a pause. */
  | { kind: 'later'; queue: string; pauseMs: number }
  /** What was given up, for an operator to look at. */
  | { kind: 'dead' };

/** Header that says when a message was first sent, in milliseconds since the epoch. */
export const SENT = 'x-folsom-sent';
/** Queue of what was given up. */
const DEAD_LETTERS = 'folsom.dead_letters';
/** How much longer than its pause a queue of waiting messages is kept. */
const LATER_GRACE_MS = 600_000;

export interface RabbitPublisher {
  /** Resolves when the broker has confirmed the message; tries again over reconnections. */
  publish(to: Destination, text: string, options?: PublishOptions): Promise<void>;
}

export function rabbitPublisher(
  connection: RabbitConnection,
  options: RabbitOptions,
  world: World,
): RabbitPublisher {
  /** Queues known to exist, by session. */
  const declared = new WeakMap<Session, Set<string>>();

  /**
   * Folsom's callers leave it to the server to declare a topic's queue, and lose what they send before. We declare it
   * with the server's own flags, so that a message waits for its server.
   */
  const declareQueue = async (session: Session, name: string) => {
    const known = declared.get(session) ?? new Set();
    declared.set(session, known);
    if (known.has(name)) return;
    const channel = await openChannel(session);
    try {
      await channel.assertQueue(name, lastingQueue(options));
      await channel.bindQueue(name, options.control_exchange, name);
      await channel.close();
    } catch (error) {
      if (session.ended) throw error;
      // The queue is there with other flags: its server decides, and it is bound.
      world.log.error(
        'a queue is declared otherwise on the broker; does rabbit_durable_queues agree everywhere?',
        {
          queue: name,
          why: (error as Error).message,
        },
      );
    }
    known.add(name);
  };

  const declareFanout = async (session: Session, topic: string) => {
    // Auto-deleted with its last consumer, so its existence can never be remembered.
    const channel = await openChannel(session);
    try {
      await channel.assertExchange(`${topic}_fanout`, 'fanout', { durable: false, autoDelete: true });
    } finally {
      await channel.close().catch(() => {});
    }
  };

  /** A queue whose messages go on to another one when their time is up; gone when nothing was put there for long. */
  const declareLater = async (session: Session, queue: string, pauseMs: number): Promise<string> => {
    const name = `${queue}.later.${pauseMs}`;
    const channel = await openChannel(session);
    try {
      await channel.assertQueue(name, {
        ...lastingQueue(options),
        messageTtl: pauseMs,
        expires: pauseMs + LATER_GRACE_MS,
        deadLetterExchange: '',
        deadLetterRoutingKey: queue,
      });
    } finally {
      await channel.close().catch(() => {});
    }
    return name;
  };

  const declareDead = async (session: Session): Promise<string> => {
    const channel = await openChannel(session);
    try {
      await channel.assertQueue(DEAD_LETTERS, {
        durable: true,
        autoDelete: false,
        exclusive: false,
        maxLength: RPC_LIMITS.deadLettersMax,
      });
    } finally {
      await channel.close().catch(() => {});
    }
    return DEAD_LETTERS;
  };

  /** Makes sure that a message for it arrives. Answers exchange and routing key. */
  const declare = async (session: Session, to: Destination): Promise<[exchange: string, key: string]> => {
    switch (to.kind) {
      case 'topic':
        await declareQueue(session, to.name);
        return [options.control_exchange, to.name];
      case 'fanout':
        await declareFanout(session, to.topic);
        return [`${to.topic}_fanout`, ''];
      case 'later':
        return ['', await declareLater(session, to.queue, to.pauseMs)];
      case 'dead':
        return ['', await declareDead(session)];
      case 'queue':
        return ['', to.name];
    }
  };

  const send = async (session: Session, to: Destination, content: Buffer, properties: PublishOptions) => {
    const [exchange, key] = await declare(session, to);
    await new Promise<void>((resolve, reject) => {
      session.publisher.publish(
        exchange,
        key,
        content,
        {
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          persistent: true,
          // Text: the client library of an original knows few types of a header, and no long number.
          headers: { [SENT]: String(world.clock.now()), ...properties.headers },
          ...(properties.messageId === undefined ? {} : { messageId: properties.messageId }),
          ...(properties.correlationId === undefined ? {} : { correlationId: properties.correlationId }),
          ...(properties.expirationMs === undefined ? {} : { expiration: String(properties.expirationMs) }),
        },
        error => (error ? reject(error) : resolve()),
      );
    });
  };

  return {
    async publish(to, text, properties = {}) {
      const content = Buffer.from(text);
      if (content.length > RPC_LIMITS.messageBytesMax) {
        throw rpcFault('RpcMessageTooLarge', { bytes: content.length, limit: RPC_LIMITS.messageBytesMax });
      }
      const timeoutMs = properties.timeoutMs ?? RPC_LIMITS.publishMs;
      const deadline = world.clock.monotonic() + timeoutMs;
      for (;;) {
        const left = Math.max(1, deadline - world.clock.monotonic());
        const session = await connection.session(left);
        const timed = new AbortController();
        try {
          return await Promise.race([
            send(session, to, content, properties),
            world.clock.sleep(left, timed.signal).then(() => {
              throw rpcFault('RpcUnavailable', { address: addressOf(options) });
            }),
          ]);
        } catch (error) {
          // Sent again in the next session; the message's id lets its server recognise a repetition.
          if (world.clock.monotonic() >= deadline) throw error;
          await world.clock.sleep(20);
        } finally {
          timed.abort();
        }
      }
    },
  };
}
