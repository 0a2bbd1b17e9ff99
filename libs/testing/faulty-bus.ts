import { type Clock, seededRandom } from '@folsom/core';
import { type Bus, type Delivered, rpcFault } from '@folsom/rpc';

export interface BusFaults {
  /** The same seed gives the same faults for the same sequence of messages. */
  seed: number;
  clock: Clock;
  /** Share of messages (0 to 1) that never arrive. */
  drop?: number;
  /** Share of messages that arrive twice. */
  duplicate?: number;
  /** Share of messages that arrive late, by up to `delayMs`. */
  delay?: number;
  delayMs?: number;
  /** Milliseconds until a dropped call gives up; default 60 s. */
  timeoutMs?: number;
  /** Where the second of a message that comes twice may go instead: to a twin of its server. */
  twin?: (topic: string, method: string) => string | undefined;
  /** Only these messages are touched. */
  only?: (topic: string, method: string) => boolean;
}

export interface FaultyBus extends Bus {
  /** What has been done to which message, in order. */
  readonly injected: { fault: 'drop' | 'duplicate' | 'delay'; topic: string; method: string }[];
}

/** Pause after a bus did not take a message. */
const AGAIN_MS = 200;

/** A bus over another that loses, repeats and delays messages by a seed. Serving and notifications are untouched. */
export function faultyBus(bus: Bus, faults: BusFaults): FaultyBus {
  const random = seededRandom(faults.seed);
  const injected: FaultyBus['injected'] = [];
  const chance = (share: number | undefined) => random.int(1_000_000) < (share ?? 0) * 1_000_000;

  const send = async <T>(
    topic: string,
    method: string,
    once: (topic: string) => Promise<T>,
    dropped: () => Promise<T>,
    answered = false,
  ): Promise<T> => {
    // Drawn for every message, touched or not, so that a filter does not shift the others' faults.
    const draw = {
      drop: chance(faults.drop),
      duplicate: chance(faults.duplicate),
      delay: chance(faults.delay),
      ms: random.int((faults.delayMs ?? 1000) + 1),
    };
    if (faults.only !== undefined && !faults.only(topic, method)) return once(topic);
    if (draw.drop) {
      injected.push({ fault: 'drop', topic, method });
      return dropped();
    }
    if (draw.delay) {
      injected.push({ fault: 'delay', topic, method });
      const arrival = faults.clock.sleep(draw.ms);
      // Who casts does not wait for the arrival; so messages of one sender overtake each other.
      if (!answered) return void arrival.then(() => once(topic)).catch(() => {}) as T;
      await arrival;
    }
    if (draw.duplicate) {
      injected.push({ fault: 'duplicate', topic, method });
      const second = faults.twin?.(topic, method) ?? topic;
      const [first] = await Promise.all([once(topic), once(second).catch(() => undefined)]);
      return first;
    }
    return once(topic);
  };

  return {
    ...bus,
    injected,
    call: (context, topic, message, options) =>
      send(
        topic,
        message.method,
        () => bus.call(context, topic, message, options),
        async () => {
          await faults.clock.sleep(options?.timeoutMs ?? faults.timeoutMs ?? 60_000);
          throw rpcFault('RpcTimeout');
        },
        true,
      ),
    cast: (context, topic, message) =>
      send(
        topic,
        message.method,
        to => bus.cast(context, to, message),
        async () => {},
      ),
    deliver: kept => {
      const { method } = JSON.parse(kept.text) as { method: string };
      const arrived = Promise.withResolvers<Delivered>();
      // Its sender was told that it is taken, so a bus that is away is asked again.
      const insist = async (topic: string): Promise<Delivered> => {
        for (;;) {
          try {
            return await bus.deliver({ ...kept, topic }).done;
          } catch {
            await faults.clock.sleep(AGAIN_MS);
          }
        }
      };
      void send(
        kept.topic,
        method,
        async topic => arrived.resolve(insist(topic)),
        async () => arrived.resolve({}),
      );
      return { taken: Promise.resolve(), done: arrived.promise };
    },
    fanout: (context, topic, message) =>
      send(
        topic,
        message.method,
        () => bus.fanout(context, topic, message),
        async () => {},
      ),
  };
}
