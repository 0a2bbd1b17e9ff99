import { createLogger, systemRandom, type World } from '@folsom/core';
import { type Database, dbSync, openDatabase, toSqlTime } from '@folsom/db';
import { eventually, fakeClock } from '@folsom/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { IDENTITY_LIMITS } from '../limits.ts';
import { adoptPage, claimAdoption } from '../repositories/token-adoption.ts';
import { adoptStoredTokens } from './adoption.ts';

let db: Database;
const clock = fakeClock();
const lines: string[] = [];
const world: World = { clock, random: systemRandom, log: createLogger({ write: line => lines.push(line) }) };
const COUNT = IDENTITY_LIMITS.flushRowsMax * 2 + 7;

beforeEach(async () => {
  lines.length = 0;
  db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'keystone');
  const expires = toSqlTime(clock.now() + 86_400_000);
  const extra = JSON.stringify({ user: { id: 'u', name: 'anna' }, tenant: { id: 't', name: 't' } });
  const rows = Array.from({ length: COUNT }, (_none, at) => ({
    id: `t${String(at).padStart(6, '0')}`,
    expires,
    // One that nobody can read.
    extra: at === 5 ? '{broken' : extra,
    valid: 1,
  }));
  for (let at = 0; at < rows.length; at += 200) await db.knex('token').insert(rows.slice(at, at + 200));
});
afterEach(() => db.close());

const adopted = async () => Number((await db.knex('folsom_token_owner').count({ n: '*' }))[0]!.n);

it('takes every token over once, whatever the number of processes', async () => {
  const twins = [adoptStoredTokens({ db, world }), adoptStoredTokens({ db, world })];
  await eventually(adopted).toBe(COUNT);
  await eventually(() => lines.filter(line => line.includes('taken over')).length).toBe(1);
  expect(lines.join()).toContain(`"count":${COUNT}`);
  for (const twin of twins) await twin.stop();
  expect(await db.knex('folsom_token_owner').where({ user_id: '' }).select('token_id')).toEqual([
    { token_id: 't000005' },
  ]);
});

it('goes on where it was when the database answers again', async () => {
  const { transaction } = db;
  let calls = 0;
  const failing: Database = {
    ...db,
    transaction: work => {
      calls += 1;
      if (calls === 2) return Promise.reject(new Error('the server has gone away'));
      return transaction(work);
    },
  };
  const adoption = adoptStoredTokens({ db: failing, world });
  await eventually(() => lines.join()).toContain('tried again');
  expect(await adopted()).toBe(IDENTITY_LIMITS.flushRowsMax);
  await clock.advance(2_000);
  await eventually(adopted).toBe(COUNT);
  await adoption.stop();
  // A page each, and the one that failed: nothing was looked at twice.
  expect(calls).toBe(4);
});

it('belongs to one process at a time, and to the next when that one is silent', async () => {
  const now = clock.now();
  const first = { holder: 'first', until: now + 1000 };
  const second = { holder: 'second', until: now + 5000 };
  expect(await claimAdoption(db, first, now)).toBe('mine');
  expect(await claimAdoption(db, second, now)).toEqual({ finishedAt: null });
  expect(await adoptPage(db, first, now, 10)).toEqual({ count: 10, done: false });
  expect(await claimAdoption(db, second, now + 1000)).toBe('mine');
  expect(await adoptPage(db, first, now, 10)).toBeNull();
  expect(await adopted()).toBe(10);
  expect(await adoptPage(db, second, now, 10)).toEqual({ count: 10, done: false });
  expect((await db.knex('folsom_progress').first())!.marker).toBe('t000019');
});
