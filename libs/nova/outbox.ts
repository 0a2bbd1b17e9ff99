import { metricsOf, type RequestContext, type World } from '@folsom/core';
import { type Database, IN_VALUES_MAX, type Knex, prepared } from '@folsom/db';
import {
  type Bus,
  castText,
  deadText,
  type Message,
  type OutboxRow,
  type OutboxStore,
  type Relay,
  RPC_LIMITS,
  relay,
  rpcMetrics,
  type Sender,
  topicLabel,
} from '@folsom/rpc';

/** Writes messages together with the rows they speak of, and sees to it that they arrive. */
export interface Outbox {
  /**
   * Runs `fn` in one transaction; what it casts through `send` is committed with the rows, and goes out directly
   * afterwards. `fn` may run again after a deadlock.
   */
  transaction<T>(fn: (trx: Knex.Transaction, send: Sender) => Promise<T>): Promise<T>;
  /** The bus whose casts are rows first. In process that makes them survive a process that is killed. */
  readonly bus: Bus;
  /** Takes up what a former life of this process left; call once its servers are, or soon will be, there. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface OutboxOptions {
  db: Database;
  bus: Bus;
  world: World;
  /** Name of the process, the same after a restart: `nova-api:node1`. */
  owner: string;
  /** Also carries what processes that are gone have left. */
  takesOrphans?: boolean;
  /** No other process uses this database: whatever is there is ours at once. */
  alone?: boolean;
}

const TABLE = 'folsom_outbox';
const REASON_CHARS_MAX = 2000;
const OWNER_CHARS_MAX = 255;

const insertMessage = prepared((sql, row: Record<string, string | number>) => sql(TABLE).insert(row));
const deleteMessages = prepared((sql, rows: readonly number[]) =>
  sql(TABLE)
    .whereIn('id', [...rows])
    .delete(),
);

export function novaOutbox(options: OutboxOptions): Outbox {
  const { db, bus, world, alone = false } = options;
  const owner = options.owner.slice(0, OWNER_CHARS_MAX);
  const carrier: Relay = relay({
    store: sqlStore(db, alone),
    bus,
    world,
    owner,
    takesOrphans: options.takesOrphans ?? false,
  });

  const write = async (
    sql: Knex,
    context: RequestContext,
    topic: string,
    message: Message,
  ): Promise<OutboxRow> => {
    const kept = { id: world.random.hex(32), topic, text: castText(context, message) };
    const now = world.clock.now();
    const [row] = await insertMessage(sql, {
      message_id: kept.id,
      topic,
      body: kept.text,
      owner,
      lease_until: now + RPC_LIMITS.outboxLeaseMs,
      created_at: now,
    });
    metricsOf(world).add(rpcMetrics.sent, ['kept', topicLabel(topic), message.method]);
    carrier.hold(Number(row));
    return { ...kept, row: Number(row) };
  };

  return {
    async transaction(fn) {
      const written: OutboxRow[] = [];
      const undone = () => carrier.release(written.splice(0).map(({ row }) => row));
      try {
        const result = await db.transaction(async trx => {
          undone();
          return fn(trx, {
            cast: async (context, topic, message) => {
              written.push(await write(trx, context, topic, message));
            },
            call: () => Promise.reject(new Error('nothing can be asked within a transaction')),
          });
        });
        carrier.handOver(written);
        return result;
      } catch (error) {
        // Where the connection was lost at the commit it may be there all the same: then a scan finds it.
        undone();
        throw error;
      }
    },
    bus: {
      ...bus,
      cast: async (context, topic, message) => {
        carrier.handOver([await db.retry(() => write(db.knex, context, topic, message))]);
      },
    },
    start: () => carrier.start(),
    stop: () => carrier.stop(),
  };
}

interface Raw {
  id: number;
  message_id: string;
  topic: string;
  body: string;
  owner: string;
  lease_until: number;
}

function sqlStore(db: Database, alone: boolean): OutboxStore {
  return {
    async claim({ owner, now, leaseUntil, limit, except, fullTopics }) {
      const open = db.knex(TABLE).whereNull('dead_reason').orderBy('id');
      if (!alone) open.where(query => void query.where({ owner }).orWhere('lease_until', '<', now));
      if (fullTopics.length > 0) open.whereNotIn('topic', [...fullTopics]);
      const known = [...except].slice(0, IN_VALUES_MAX);
      if (known.length > 0) open.whereNotIn('id', known);
      const found = (await open
        .limit(limit + except.size - known.length)
        .select('id', 'message_id', 'topic', 'body', 'owner', 'lease_until')) as Raw[];
      const ours: OutboxRow[] = [];
      for (const raw of found) {
        if (except.has(Number(raw.id)) || ours.length >= limit) continue;
        if (raw.owner !== owner) {
          // Another process may look at the same moment; one of them changes the row.
          const taken = await db
            .knex(TABLE)
            .where({ id: raw.id, owner: raw.owner, lease_until: raw.lease_until })
            .update({ owner, lease_until: leaseUntil });
          if (taken === 0) continue;
        }
        ours.push({ row: Number(raw.id), id: raw.message_id, topic: raw.topic, text: raw.body });
      }
      return ours;
    },
    renew: async (owner, leaseUntil) => {
      await db.knex(TABLE).where({ owner }).whereNull('dead_reason').update({ lease_until: leaseUntil });
    },
    remove: async rows => {
      await db.retry(() => deleteMessages(db.knex, rows));
    },
    bury: async ({ row, text }, reason) => {
      const dead = { body: deadText(text), dead_reason: reason.slice(0, REASON_CHARS_MAX) };
      await db.retry(async () => {
        await db.knex(TABLE).where({ id: row }).update(dead);
        const buried = db.knex(TABLE).whereNotNull('dead_reason').orderBy('id', 'desc');
        const [oldest] = await buried.offset(RPC_LIMITS.deadLettersMax).limit(1).select('id');
        if (oldest !== undefined)
          await db.knex(TABLE).whereNotNull('dead_reason').where('id', '<=', oldest.id).delete();
      });
    },
  };
}
