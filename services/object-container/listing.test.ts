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
import { afterAll, expect, it } from 'vitest';
import { listingText } from './listing.ts';

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
  const made = (type: Parameters<typeof listingText>[2]) => listingText(() => db, query, type, 'c');
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
  await listingText(() => db, QUERIES.everything!, 'application/json', 'c');
  going = false;
  expect(turns).toBeGreaterThanOrEqual(5);
});

it('fails when the database goes away: half a listing would look like a whole one', async () => {
  let left = 2;
  const listing = listingText(() => (left-- > 0 ? db : null), QUERIES.everything!, 'application/json', 'c');
  await expect(listing).rejects.toBeInstanceOf(DbQuarantined);
});
