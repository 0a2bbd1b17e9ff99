import type { World } from '@folsom/core';
import { rpcFault } from './faults.ts';
import { RPC_LIMITS } from './limits.ts';
import type { RabbitOptions } from './options.ts';
import { openChannel, type RabbitConnection, type Session } from './rabbit-connection.ts';

export interface PublishOptions {
  messageId?: string;
  correlationId?: string;
  /** Milliseconds after which the broker may drop it. */
  expirationMs?: number;
  /** Milliseconds to keep trying. */
  timeoutMs?: number;
}

/** What must exist on the broker for a message to arrive. */
export type Destination =
  | { kind: 'topic'; name: string }
  | { kind: 'fanout'; topic: string }
  /** Straight into the queue of this name. */
  | { kind: 'queue'; name: string };

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
      const flags = { durable: options.rabbit_durable_queues, autoDelete: false, exclusive: false };
      await channel.assertQueue(name, flags);
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

  const send = async (session: Session, to: Destination, content: Buffer, properties: PublishOptions) => {
    if (to.kind === 'topic') await declareQueue(session, to.name);
    if (to.kind === 'fanout') await declareFanout(session, to.topic);
    const exchange =
      to.kind === 'topic' ? options.control_exchange : to.kind === 'fanout' ? `${to.topic}_fanout` : '';
    const key = to.kind === 'fanout' ? '' : to.name;
    await new Promise<void>((resolve, reject) => {
      session.publisher.publish(
        exchange,
        key,
        content,
        {
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          persistent: true,
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
              throw rpcFault('RpcUnavailable', { address: `${options.rabbit_host}:${options.rabbit_port}` });
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
