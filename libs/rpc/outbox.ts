import { metricsOf, type Timer, type World } from '@folsom/core';
import type { Bus, KeptMessage } from './bus.ts';
import { RPC_LIMITS } from './limits.ts';
import { rpcMetrics, topicLabel } from './metrics.ts';

/**
 * Messages that are rows first. A sender writes them in the same transaction as what they speak of; the relay hands
 * them to the bus and takes the rows away when the bus has them (a broker has confirmed them; in process: their
 * handler is through). Whatever dies in between, a message goes out at least once.
 */
export interface OutboxRow extends KeptMessage {
  /** Place in the order of writing. */
  row: number;
}

/** Where the rows are. Times are milliseconds since the epoch. */
export interface OutboxStore {
  /** Makes up to `limit` rows that were written first ours: those of `owner`, and those whose time has run out. */
  claim(request: {
    owner: string;
    now: number;
    leaseUntil: number;
    limit: number;
    /** Rows of this process that are under way, and topics that are full. */
    except: ReadonlySet<number>;
    fullTopics: readonly string[];
  }): Promise<OutboxRow[]>;
  /** Keeps the owner's rows his for longer. */
  renew(owner: string, leaseUntil: number): Promise<void>;
  remove(rows: readonly number[]): Promise<void>;
  /** Puts a row aside for good, with the reason and without its secrets. */
  bury(kept: OutboxRow, reason: string): Promise<void>;
}

export interface RelayOptions {
  store: OutboxStore;
  bus: Pick<Bus, 'deliver'>;
  world: World;
  /** This process; the same after a restart. */
  owner: string;
  /** Looks for rows of processes that are gone, too. One or two processes of a cloud do. */
  takesOrphans: boolean;
}

export interface Relay {
  /** Rows that were written and may not be committed yet: no scan takes them meanwhile. */
  hold(row: number): void;
  /** They were not committed. */
  release(rows: readonly number[]): void;
  /** Hands on rows that were just committed; their order is kept within a topic. */
  handOver(rows: readonly OutboxRow[]): void;
  /** Takes up what a former life of this process has left. */
  start(): Promise<void>;
  /** Stops taking rows, and waits a while for those the bus is being given. */
  stop(): Promise<void>;
}

interface Lane {
  waiting: OutboxRow[];
  busy: boolean;
  inFlight: number;
}

/** Messages of a topic given to the bus before the first of them is confirmed. */
const BATCH = 100;
const CLAIM_MAX = 500;
/** Pause after the bus refused a message. */
const REFUSED_PAUSE_MS = 1000;
const REMOVE_PAUSE_MS = 1000;
const STOP_MS = 5000;

/** Carries rows to the bus. One a process. */
export function relay(options: RelayOptions): Relay {
  const { store, bus, world, owner, takesOrphans } = options;
  const lanes = new Map<string, Lane>();
  /** Rows of this process that are not done with, by number, with when they came (monotonic milliseconds); oldest first. */
  const held = new Map<number, number>();
  const untold = tell(world, lanes, held);
  const finished: number[] = [];
  const giving = new Set<Promise<unknown>>();
  let removing: Promise<void> | undefined;
  let backlog = false;
  let stopped = false;
  let timer: Timer | undefined;
  let scanning: Promise<void> | undefined;

  const laneOf = (topic: string): Lane => {
    let lane = lanes.get(topic);
    if (lane === undefined) {
      lane = { waiting: [], busy: false, inFlight: 0 };
      lanes.set(topic, lane);
    }
    return lane;
  };

  /** One statement for all that ended meanwhile. */
  const remove = (): void => {
    removing ??= (async () => {
      while (finished.length > 0) {
        const rows = finished.splice(0, CLAIM_MAX);
        try {
          await store.remove(rows);
          for (const row of rows) held.delete(row);
        } catch (error) {
          finished.push(...rows);
          if (stopped) return;
          world.log.warn('messages that were delivered cannot be taken off the outbox now', { error });
          await world.clock.sleep(REMOVE_PAUSE_MS);
        }
      }
    })().finally(() => {
      removing = undefined;
    });
  };

  const settle = (topic: string, lane: Lane, row: number): void => {
    lane.inFlight--;
    if (lane.inFlight === 0 && lane.waiting.length === 0) lanes.delete(topic);
    finished.push(row);
    remove();
    if (backlog && !stopped) {
      backlog = false;
      void scan();
    }
  };

  const give = (topic: string, lane: Lane, kept: OutboxRow): Promise<boolean> => {
    const delivery = bus.deliver(kept);
    lane.inFlight++;
    const done = delivery.done.then(
      async ({ dead }) => {
        if (dead === undefined) return settle(topic, lane, kept.row);
        lane.inFlight--;
        await store
          .bury(kept, dead)
          .catch(error => world.log.error('cannot put a message aside', { topic, error }));
        held.delete(kept.row);
      },
      () => void lane.inFlight--,
    );
    void done;
    return delivery.taken.then(
      () => true,
      error => {
        world.log.warn('the bus does not take a message now', { topic, why: (error as Error).message });
        return false;
      },
    );
  };

  const drive = async (topic: string, lane: Lane): Promise<void> => {
    if (lane.busy) return;
    lane.busy = true;
    while (lane.waiting.length > 0 && !stopped) {
      const room = RPC_LIMITS.keptInFlightMax - lane.inFlight;
      if (room <= 0) {
        // They stay rows; a scan finds them when others are through.
        for (const { row } of lane.waiting.splice(0)) held.delete(row);
        backlog = true;
        break;
      }
      const batch = lane.waiting.splice(0, Math.min(BATCH, room));
      const taken = await Promise.all(batch.map(kept => give(topic, lane, kept)));
      const refused = batch.filter((_, at) => !taken[at]);
      if (refused.length === 0) continue;
      lane.waiting.unshift(...refused);
      await world.clock.sleep(REFUSED_PAUSE_MS);
    }
    lane.busy = false;
  };

  const handOver = (rows: readonly OutboxRow[]): void => {
    for (const kept of rows) {
      held.set(kept.row, held.get(kept.row) ?? world.clock.monotonic());
      if (stopped) continue;
      const lane = laneOf(kept.topic);
      lane.waiting.push(kept);
      const driven = drive(kept.topic, lane).finally(() => giving.delete(driven));
      giving.add(driven);
    }
  };

  const scan = (): Promise<void> => {
    scanning ??= (async () => {
      const now = world.clock.now();
      const leaseUntil = now + RPC_LIMITS.outboxLeaseMs;
      if (held.size > 0) await store.renew(owner, leaseUntil);
      for (;;) {
        const fullTopics = [...lanes]
          .filter(([, lane]) => lane.inFlight + lane.waiting.length >= RPC_LIMITS.keptInFlightMax)
          .map(([topic]) => topic);
        const rows = await store.claim({
          owner,
          now,
          leaseUntil,
          limit: CLAIM_MAX,
          except: new Set(held.keys()),
          fullTopics,
        });
        if (rows.length === 0 || stopped) break;
        handOver(rows);
      }
    })()
      .catch(error => {
        backlog = true;
        world.log.warn('the outbox cannot be read now', { error });
      })
      .finally(() => {
        scanning = undefined;
      });
    return scanning;
  };

  return {
    handOver,
    hold: row => void held.set(row, world.clock.monotonic()),
    release: rows => {
      for (const row of rows) held.delete(row);
    },
    async start() {
      timer = world.clock.every(RPC_LIMITS.outboxScanMs, () => {
        if (!stopped && (takesOrphans || held.size > 0 || backlog)) void scan();
      });
      await scan();
    },
    async stop() {
      timer?.cancel();
      stopped = true;
      untold();
      await scanning;
      const patience = new AbortController();
      await Promise.race([
        Promise.all([...giving]),
        world.clock.sleep(STOP_MS, patience.signal).catch(() => {}),
      ]);
      patience.abort();
      remove();
      await removing;
    },
  };
}

/** How many messages are on their way, and for how long, for whoever looks. */
function tell(world: World, lanes: ReadonlyMap<string, Lane>, held: ReadonlyMap<number, number>): () => void {
  const metrics = metricsOf(world);
  metrics.declare(rpcMetrics);
  // A topic that was there once is told of for good: nothing waiting is something to know.
  const seen = new Map<string, number>([['compute', 0]]);
  const ended = [
    metrics.read(rpcMetrics.outbox, () => {
      for (const topic of seen.keys()) seen.set(topic, 0);
      for (const [topic, { waiting, inFlight }] of lanes) {
        const label = topicLabel(topic);
        seen.set(label, (seen.get(label) ?? 0) + waiting.length + inFlight);
      }
      return [...seen].map(([topic, count]) => [[topic], count]);
    }),
    metrics.read(rpcMetrics.outboxAge, () => {
      const [oldest] = held.values();
      return [[[], oldest === undefined ? 0 : (world.clock.monotonic() - oldest) / 1000]];
    }),
  ];
  return () => {
    for (const end of ended) end();
  };
}
