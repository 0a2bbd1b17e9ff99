import { must } from '@folsom/core';
import { type Database, inBatches, toSqlTime, whereListed } from '@folsom/db';
import { LRUCache } from 'lru-cache';
import { groupBy } from './rows.ts';

/** What EC2 names by a number. */
export type Ec2Kind = 'instance' | 'image' | 'volume' | 'snapshot';

/** Folsom's mapping tables; images, kernels and ramdisks share one. */
const TABLES: Readonly<Record<Ec2Kind, string>> = {
  instance: 'instance_id_mappings',
  image: 's3_images',
  volume: 'volume_id_mappings',
  snapshot: 'snapshot_id_mappings',
};

/** Rows of one INSERT. */
const BATCH = 100;
/** Numbers are 32-bit row ids. */
const NUMBER_MAX = 2_147_483_647;

/** Numbers behind EC2's ids by uuid; those that had none get theirs now. Three statements however many are new, else one. */
export async function ec2Numbers(
  db: Database,
  kind: Ec2Kind,
  uuids: readonly string[],
  now: number,
): Promise<Map<string, number>> {
  const known = knownNumbers(db, kind);
  const found = new Map<string, number>();
  const unknown = new Set<string>();
  for (const uuid of uuids) {
    const number = known.get(uuid);
    if (number === undefined) unknown.add(uuid);
    else found.set(uuid, number);
  }
  if (unknown.size === 0) return found;
  for (const [uuid, number] of await givenNumbers(db, kind, [...unknown], now)) {
    known.set(uuid, number);
    found.set(uuid, number);
  }
  return found;
}

/** A number once given out is kept for good: it is looked up once. About 100 bytes each. */
const KNOWN_MAX = 20_000;
const knownOf = new WeakMap<Database, Record<string, LRUCache<string, number>>>();

function knownNumbers(db: Database, kind: Ec2Kind): LRUCache<string, number> {
  const kinds = knownOf.get(db) ?? {};
  knownOf.set(db, kinds);
  const known = kinds[kind] ?? new LRUCache<string, number>({ max: KNOWN_MAX });
  kinds[kind] = known;
  return known;
}

async function givenNumbers(
  db: Database,
  kind: Ec2Kind,
  wanted: readonly string[],
  now: number,
): Promise<Map<string, number>> {
  const found = await numbersOf(db, kind, wanted);
  const missing = wanted.filter(uuid => !found.has(uuid));
  if (missing.length === 0) return found;
  for (let at = 0; at < missing.length; at += BATCH) {
    const rows = missing.slice(at, at + BATCH);
    await db.knex(TABLES[kind]).insert(rows.map(uuid => ({ uuid, deleted: 0, created_at: toSqlTime(now) })));
  }
  // Two may have inserted at once: the first row counts for both.
  for (const [uuid, number] of await numbersOf(db, kind, missing)) found.set(uuid, number);
  return found;
}

async function numbersOf(
  db: Database,
  kind: Ec2Kind,
  uuids: readonly string[],
): Promise<Map<string, number>> {
  const rows = (await whereListed(db.knex(TABLES[kind]), 'uuid', uuids)
    .orderBy('id')
    .select('id', 'uuid')) as { id: number; uuid: string }[];
  return new Map(
    [...groupBy(rows, row => row.uuid)].map(([uuid, [first]]) => [uuid, must(first, 'first is there').id]),
  );
}

/** What the numbers stand for; unknown ones are left out. */
export async function ec2Uuids(
  db: Database,
  kind: Ec2Kind,
  numbers: readonly number[],
): Promise<Map<number, string>> {
  const wanted = [...new Set(numbers)].filter(number => number > 0 && number <= NUMBER_MAX);
  if (wanted.length === 0) return new Map();
  const rows = await inBatches<number, { id: number; uuid: string }>(wanted, batch =>
    db.knex(TABLES[kind]).whereIn('id', batch).select('id', 'uuid'),
  );
  return new Map(rows.map(row => [row.id, row.uuid]));
}

/** Prefixes of the ids. */
export type Ec2Prefix = 'i' | 'ami' | 'aki' | 'ari' | 'vol' | 'snap';

/** `i-0000002f` */
export const ec2Id = (prefix: Ec2Prefix, number: number): string =>
  `${prefix}-${number.toString(16).padStart(8, '0')}`;

const numberOf = async (db: Database, kind: Ec2Kind, uuid: string, now: number): Promise<number> =>
  must((await ec2Numbers(db, kind, [uuid], now)).get(uuid), 'ec2Numbers has uuid');

/** `i-0000002f`; the number is given out at the first question. */
export const ec2InstanceId = async (db: Database, uuid: string, now: number): Promise<string> =>
  ec2Id('i', await numberOf(db, 'instance', uuid, now));

/** `ami-00000007`, `aki-...`, `ari-...`. */
export const ec2ImageId = async (
  db: Database,
  kind: 'ami' | 'aki' | 'ari',
  uuid: string,
  now: number,
): Promise<string> => ec2Id(kind, await numberOf(db, 'image', uuid, now));
