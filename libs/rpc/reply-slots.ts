import type { World } from '@folsom/core';
import type { Channel, ConsumeMessage } from 'amqplib';
import { RPC_LIMITS } from './limits.ts';
import { openChannel, type RabbitConnection, type Session } from './rabbit-connection.ts';

/** Called for every reply; `correlationId` where the server gave one (Folsom's do not). */
export type ReplyListener = (text: string, correlationId: string | undefined) => void;

/**
 * A reply address: the direct exchange and the queue, both named by 32 hex digits, that Folsom's callers declare for
 * each call. Declaring one takes the broker four round trips, so a finished call's address serves the next one. What a
 * late or repeated reply of an earlier call brings is told apart by its correlation id; after a time-out the address
 * is thrown away.
 */
export interface ReplySlot {
  readonly id: string;
}

export interface ReplySlots {
  acquire(timeoutMs: number, listener: ReplyListener): Promise<ReplySlot>;
  /** Gives the address back; `clean` when the call's last reply has come. */
  release(slot: ReplySlot, clean: boolean): void;
}

interface Slot extends ReplySlot {
  listener: ReplyListener;
  session: Session;
  consumerTag: string;
}

interface Waiter {
  resolve(slot: Slot): void;
  reject(error: unknown): void;
}

/** Round trips on one channel wait for each other, so addresses are made on several. */
const CHANNELS = 4;
/** Addresses under way at once. */
const MAKING_MAX = 16;

export function replySlots(connection: RabbitConnection, world: World): ReplySlots {
  const channels = new WeakMap<Session, Promise<Channel>[]>();
  const busy = new Set<Slot>();
  const owners = new WeakMap<Slot, Channel>();
  const waiters: Waiter[] = [];
  let idle: Slot[] = [];
  let making = 0;
  let turn = 0;

  const channelOf = (session: Session): Promise<Channel> => {
    const list = channels.get(session) ?? [];
    channels.set(session, list);
    const index = turn++ % CHANNELS;
    list[index] ??= openChannel(session).then(channel => {
      channel.on('close', () => delete list[index]);
      return channel;
    });
    return list[index];
  };

  const declare = async (slot: Slot, session: Session) => {
    const channel = await channelOf(session);
    const { id } = slot;
    const onMessage = (message: ConsumeMessage | null) => {
      if (message === null) return;
      slot.listener(message.content.toString('utf8'), message.properties.correlationId as string | undefined);
    };
    // Sent at once; the broker works through a channel in order.
    const [, , , consumed] = await Promise.all([
      channel.assertExchange(id, 'direct', { durable: false, autoDelete: true }),
      channel.assertQueue(id, { durable: false, autoDelete: true, exclusive: true }),
      channel.bindQueue(id, id, id),
      channel.consume(id, onMessage, { noAck: true }),
    ]);
    slot.session = session;
    slot.consumerTag = consumed.consumerTag;
    owners.set(slot, channel);
  };

  const remove = (slot: Slot) => {
    if (slot.session.ended) return;
    // Queue and exchange are deleted by the broker with their last consumer.
    owners
      .get(slot)
      ?.cancel(slot.consumerTag)
      .catch(() => {});
  };

  connection.onSession(async session => {
    idle = [];
    // Replies of calls under way must find their address again.
    for (const slot of busy) {
      await declare(slot, session).catch(error =>
        world.log.warn('a reply address could not be declared again', { why: (error as Error).message }),
      );
    }
    make(session);
  });

  const hand = (slot: Slot): void => {
    const waiter = slot.session.ended ? undefined : waiters.shift();
    if (waiter !== undefined) waiter.resolve(slot);
    else if (!slot.session.ended && idle.length < RPC_LIMITS.idleReplySlotsMax) idle.push(slot);
    else remove(slot);
  };

  /** Makes addresses while somebody waits for one; a few at a time, since finished calls give theirs back meanwhile. */
  const make = (session: Session): void => {
    while (making < Math.min(waiters.length, MAKING_MAX) && !session.ended) {
      making++;
      const slot: Slot = { id: world.random.hex(32), listener: () => {}, session, consumerTag: '' };
      declare(slot, session)
        .then(
          () => hand(slot),
          // Those who wait while the connection is lost are served by the next session.
          error => void (session.ended || waiters.shift()?.reject(error)),
        )
        .finally(() => {
          making--;
          make(session);
        });
    }
  };

  return {
    async acquire(timeoutMs, listener) {
      const session = await connection.session(timeoutMs);
      let slot = idle.pop();
      while (slot !== undefined && slot.session !== session) slot = idle.pop();
      slot ??= await new Promise<Slot>((resolve, reject) => {
        waiters.push({ resolve, reject });
        make(session);
      });
      slot.listener = listener;
      busy.add(slot);
      return slot;
    },
    release(given, clean) {
      const slot = given as Slot;
      busy.delete(slot);
      slot.listener = () => {};
      if (clean) hand(slot);
      else remove(slot);
    },
  };
}
