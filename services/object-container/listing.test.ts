import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ContainerDb,
  createDbFile,
  DbQuarantined,
  type ListedObject,
  type ListingQuery,
  listRows,
  objectsAsJson,
  objectsAsText,
  objectsAsXml,
} from '@folsom/container-db';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { afterAll, describe, expect, it } from 'vitest';
import { makeListing } from './listing.ts';
import { listingCache } from './listing-cache.ts';

const world = { clock: systemClock, random: seededRandom(5), log: silentLogger };
const folder = mkdtempSync(join(tmpdir(), 'listing-'));
const path = join(folder, 'c.db');
createDbFile(path, 'container', { account: 'a', container: 'c' }, '1400000000.00000', world);
const db = new ContainerDb(path, { world });
db.mergeItems(
  Array.from({ length: 6000 }, (_, i) => ({
    name: `d${String(i % 700).padStart(3, '0')}/\u00e9"${i}`,
    created_at: `${1_400_000_000 + i}.0${i % 10}`,
    size: i,
    content_type: 'text/plain',
    etag: 'x',
    deleted: 0,
  })),
);

afterAll(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const QUERIES: Record<string, ListingQuery> = {
  everything: { limit: 10_000, marker: '' },
  'exactly a few steps': { limit: 5000, marker: 'd001' },
  'an odd number': { limit: 2501, marker: '', prefix: 'd' },
  'up to an end': { limit: 10_000, marker: 'd100/', endMarker: 'd600/' },
  'rolled up': { limit: 10_000, marker: '', delimiter: '/' },
  'rolled up, from a marker': { limit: 600, marker: 'd002/', delimiter: '/' },
  'a path': { limit: 10_000, marker: '', path: 'd007' },
  nothing: { limit: 10, marker: 'z' },
};

it.each(Object.entries(QUERIES))('in steps is the same as in one piece: %s', async (_, query) => {
  const rows = listRows<ListedObject>(
    query,
    (bounds, limit) => db.allFrom(bounds, limit),
    name => [name, '0', 0, null, ''],
  );
  const made = async (type: Parameters<typeof makeListing>[2]) =>
    (await makeListing(() => db, query, type, 'c')).body.toString();
  expect(await made('text/plain')).toBe(objectsAsText(rows));
  expect(await made('application/json')).toBe(objectsAsJson(rows));
  expect(await made('application/xml')).toBe(objectsAsXml(rows, 'c'));
});

it('lets others work in between', async () => {
  let turns = 0;
  let going = true;
  const turn = () => {
    turns++;
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  await makeListing(() => db, QUERIES.everything!, 'application/json', 'c');
  going = false;
  expect(turns).toBeGreaterThanOrEqual(5);
});

it('fails when the database goes away: half a listing would look like a whole one', async () => {
  let left = 2;
  const listing = makeListing(() => (left-- > 0 ? db : null), QUERIES.everything!, 'application/json', 'c');
  await expect(listing).rejects.toBeInstanceOf(DbQuarantined);
});

describe('a listing that is kept', () => {
  const random = seededRandom(11);
  const kinds = ['text/plain', 'application/json', 'application/xml'] as const;
  const queries: ListingQuery[] = [
    { limit: 10_000, marker: '' },
    { limit: 2500, marker: '' },
    { limit: 10_000, marker: 'n1', endMarker: 'n8' },
    { limit: 10_000, marker: '', prefix: 'n3' },
    { limit: 100, marker: '', delimiter: '3' },
  ];
  const name = () => `n${random.int(9000)}${['', '\u{1f600}', '\uffee'][random.int(3)]}`;
  let clock = 1_500_000_000;
  const row = (of: string, deleted = 0) => ({
    name: of,
    created_at: `${clock++}.00000`,
    size: 1,
    content_type: 'text/plain',
    etag: 'x',
    deleted,
  });

  it('is after every change what it would be if it were made anew', async () => {
    const file = join(folder, 'kept.db');
    createDbFile(file, 'container', { account: 'a', container: 'c' }, '1400000000.00000', world);
    const kept = new ContainerDb(file, { world });
    const other = new ContainerDb(file, { world });
    const cache = listingCache();
    kept.mergeItems(Array.from({ length: 4000 }, () => row(name())));
    const changes: (() => void)[] = [
      () => kept.mergeItems([row(name())]),
      () => kept.mergeItems([row(name(), 1)]),
      () => kept.mergeItems([row(`z${clock}`)]),
      () => kept.mergeItems(Array.from({ length: 30 }, () => row(name(), random.int(2)))),
      () => kept.updateMetadata({ 'X-Container-Meta-A': [`${clock}`, `${clock++}.00000`] }),
      () => other.mergeItems([row(name())]),
      // More than are remembered one by one, all in one place.
      () => kept.mergeItems(Array.from({ length: 600 }, (_, i) => row(`n5${clock}-${i}`))),
      () => {},
    ];
    for (let turn = 0; turn < 24; turn++) {
      changes[turn % changes.length]!();
      for (const query of queries) {
        for (const kind of kinds) {
          const body = await cache.get(kept, `${kind} ${JSON.stringify(query)}`, steps =>
            makeListing(() => kept, query, kind, 'c', steps),
          );
          const anew = await makeListing(() => kept, query, kind, 'c');
          // As texts they would be compared sign by sign.
          expect(body.equals(anew.body), `${turn} ${kind} ${JSON.stringify(query)}`).toBe(true);
        }
      }
    }
    kept.close();
    other.close();
  });

  it('is made anew only where something changed', async () => {
    const file = join(folder, 'few.db');
    createDbFile(file, 'container', { account: 'a', container: 'c' }, '1400000000.00000', world);
    const kept = new ContainerDb(file, { world });
    kept.mergeItems(Array.from({ length: 5000 }, (_, i) => row(`n${i + 1000}`)));
    const cache = listingCache();
    let steps = 0;
    const list = async () => {
      steps = 0;
      const open = () => {
        steps++;
        return kept;
      };
      await cache.get(kept, 'all', old => makeListing(open, queries[0]!, 'text/plain', 'c', old));
      return steps;
    };
    expect(await list()).toBe(6);
    kept.mergeItems([row('n2500x'), row('n2501')]);
    expect(await list()).toBe(1);
    kept.updateMetadata({ 'X-Container-Meta-A': ['b', '1.00000'] });
    expect(await list()).toBe(0);
    kept.mergeItems([row('n9999')]);
    expect(await list()).toBe(1);
    kept.mergeItems([row('n99991')]);
    expect(await list()).toBe(1);
    kept.close();
  });
});
