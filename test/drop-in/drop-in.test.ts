import { systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase, toSqlTime } from '@folsom/db';
import { afterEach, describe, expect, it } from 'vitest';
import { differences, plain } from './answers.ts';
import {
  leftOver,
  makeUsages,
  setToNone,
  settled,
  sweep,
  uncounted,
  unequalQuotas,
  unfinished,
} from './audit.ts';
import { iniText } from './configuration.ts';
import { course } from './courses/course.ts';
import { EVERYDAY } from './courses/index.ts';
import { before, chosenMixtures, MIXTURES } from './mixtures.ts';
import { PLACES } from './programs.ts';
import { isWhole, type Outcome, outcomeLines, slowestLines, summaryLine, type Tried } from './report.ts';
import { rowsOf } from './rows.ts';

describe('the mixtures', () => {
  const sidesOf = (name: string) =>
    new Map(MIXTURES.find(mixture => mixture.name === name)?.sides.entries() ?? []);
  const minority = (sides: ReadonlyMap<string, string>, side: string) =>
    [...sides].filter(([, own]) => own === side).map(([place]) => place);

  it('have each service alone on both sides, with all of its places', () => {
    expect(minority(sidesOf('our glance-api among originals'), 'ours')).toEqual(['glance-api']);
    expect(minority(sidesOf('the original nova-api among ours'), 'original')).toEqual(['nova-api']);
    const computes = ['nova-compute c1', 'nova-compute c2'];
    expect(minority(sidesOf('our nova-compute among originals'), 'ours')).toEqual(computes);
    const alone = (side: string) =>
      new Set(
        MIXTURES.flatMap(({ sides }) => (minority(sides, side).length <= 2 ? minority(sides, side) : [])),
      );
    const places = PLACES.map(({ name }) => name).sort();
    expect([...alone('ours')].sort()).toEqual(places);
    expect([...alone('original')].sort()).toEqual(places);
  });

  it('have twins of both sides beside each other', () => {
    const schedulers = sidesOf('schedulers of both among originals');
    expect([schedulers.get('nova-scheduler'), schedulers.get('nova-scheduler 2')]).toEqual([
      'original',
      'ours',
    ]);
    expect(sidesOf('all originals').has('nova-scheduler 2')).toBe(false);
    expect(minority(sidesOf('computes of both among ours'), 'original')).toEqual(['nova-compute c2']);
  });

  it('have everything taken over from either side', () => {
    const both = MIXTURES.filter(({ takesOver }) => takesOver);
    expect(
      both.map(mixture => [...new Set([...before(mixture).sides.values(), ...mixture.sides.values()])]),
    ).toEqual([
      ['original', 'ours'],
      ['ours', 'original'],
    ]);
  });

  it('are chosen by words of their names, and a word of none is said to be one', () => {
    expect(chosenMixtures([])).toEqual(MIXTURES);
    expect(chosenMixtures(['swift-proxy', 'all originals']).map(({ name }) => name)).toEqual([
      'all originals',
      'our swift-proxy among originals',
      'the original swift-proxy among ours',
    ]);
    expect(chosenMixtures(['all originals on'])).toHaveLength(1);
    expect(chosenMixtures(['all originals ', 'all ours']).map(({ takesOver }) => takesOver)).toEqual([
      true,
      true,
    ]);
    expect(() => chosenMixtures(['cinder'])).toThrow('no mixture is called cinder');
  });
});

describe('the report', () => {
  const outcome = (more: Partial<Outcome>): Outcome => ({
    ...{ mixture: 'all ours', operations: [{ name: 'images: upload', seconds: 2 }], left: [] },
    ...{ exchanged: [{ name: 'start', seconds: 6.25 }], seconds: { all: 12.3, exchange: 6.6, settle: 0.4 } },
    ...more,
  });

  it('has a line for a whole mixture, and one more for each thing that is wrong', () => {
    expect(outcomeLines(outcome({}))).toEqual([
      `whole  ${'all ours'.padEnd(42)}      1/1  quotas equal, nothing left  12 s (7 to exchange, 0 to settle)`,
    ]);
    const wrong = outcome({
      operations: [
        { name: 'images: upload', seconds: 2 },
        { name: 'images: list', seconds: 1, wrong: '500' },
      ],
      left: ['servers left: 1'],
    });
    expect(outcomeLines(wrong)).toEqual([
      `BROKEN ${'all ours'.padEnd(42)}      1/2  1 left or unequal  12 s (7 to exchange, 0 to settle)`,
      '       images: list: 500',
      '       afterwards: servers left: 1',
    ]);
    expect(slowestLines(wrong, 2)).toEqual(['          6.3 s start', '          2.0 s images: upload']);
    expect(isWhole(outcome({ operations: [] }))).toBe(false);
    expect(summaryLine([outcome({}), wrong])).toBe('1 of 2 mixtures whole, 2 of 3 operations passed');
  });

  it('counts what comes after a failure', async () => {
    const tried: string[] = [];
    const one = course('kind', () => ({ id: '' }), {
      make: async (_, bag) => {
        bag.id = 'made';
        throw new Error('refused');
      },
      use: async (_, { id }) => void tried.push(id),
    });
    const said: Tried[] = [];
    await one.run({} as never, what => void said.push(what));
    expect(tried).toEqual(['made']);
    expect(said.map(({ name, wrong }) => [name, wrong])).toEqual([
      ['kind: make', 'refused'],
      ['kind: use', undefined],
    ]);
    expect(said.every(({ seconds }) => seconds >= 0)).toBe(true);
    expect(new Set(EVERYDAY.map(({ name }) => name)).size).toBe(EVERYDAY.length);
  });
});

it('files are written for both sides alike', () => {
  expect(iniText({ DEFAULT: { verbose: true, port: 1 }, empty: {} })).toBe(
    '[DEFAULT]\nverbose = true\nport = 1\n\n[empty]\n',
  );
});

it('answers are compared without the order of lists and the time of the last touch', () => {
  const [a, b] = [
    { servers: [{ id: 2, updated: 'x' }, { id: 1 }] },
    { servers: [{ id: 1 }, { id: 2, updated: 'y' }] },
  ];
  expect(differences(plain(a), plain(b))).toEqual([]);
  expect(differences({ a: [1, { b: null }] }, { a: [1, { b: 2 }, 3] })).toEqual([
    '/a/1/b: null became 2',
    '/a/2: undefined became 3',
  ]);
});

describe('what is looked at when nobody uses the cloud any more', () => {
  let db: Database;
  afterEach(() => db.close());
  const emptyCloud = async () => {
    db = await openDatabase({ connection: 'sqlite://' });
    await dbSync(db, 'nova');
    return db;
  };
  const usage = (resource: string, in_use: number, reserved = 0) => ({
    ...{ project_id: 'p', resource, in_use, reserved, deleted: 0, until_refresh: null },
  });

  it('quotas are the sums of the rows, as 2012.2 takes them', async () => {
    const { knex } = await emptyCloud();
    const size = { project_id: 'p', vcpus: 2, memory_mb: 512 };
    await knex('instances').insert([
      { ...size, uuid: 'a', deleted: 0 },
      { ...size, uuid: 'b', deleted: 1 },
    ]);
    await knex('quota_usages').insert([usage('instances', 1), usage('cores', 2), usage('ram', 512)]);
    // A default group is made without being counted, until the tenant's groups are counted anew.
    const groups = ['default', 'web'].map(name => ({ name, project_id: 'p', deleted: 0 }));
    await knex('security_groups').insert(groups);
    for (const inUse of [1, 2]) {
      await knex('quota_usages').where({ resource: 'security_groups' }).delete();
      await knex('quota_usages').insert(usage('security_groups', inUse));
      expect(await unequalQuotas(db)).toEqual([]);
    }
    expect(await unequalQuotas(db)).toEqual([]);
    await knex('quota_usages').where({ resource: 'cores' }).update({ in_use: 4, reserved: -1 });
    await knex('quota_usages').insert(usage('volumes', 1));
    expect(await unequalQuotas(db)).toEqual([
      'quota: cores of p: 4 in use, 2 there',
      'quota: cores of p: -1 reserved',
      'quota: volumes of p: 1 in use, 0 there',
    ]);
  });

  it('what the original nova-network counts wrongly is not judged where it was', async () => {
    const { knex } = await emptyCloud();
    await knex('quota_usages').insert(usage('fixed_ips', 3));
    expect(await unequalQuotas(db, uncounted(['ours']))).toEqual([
      'quota: fixed_ips of p: 3 in use, 0 there',
    ]);
    expect(await unequalQuotas(db, uncounted(['ours', 'original']))).toEqual([]);
    await setToNone(db, uncounted(['original']));
    expect(await unequalQuotas(db)).toEqual([]);
  });

  it('rows are waited for until they are at rest or gone', async () => {
    const { knex } = await emptyCloud();
    const rows = rowsOf(db);
    await knex('instances').insert({ uuid: 'a', deleted: 0, task_state: 'pausing' });
    await knex('migrations').insert({ instance_uuid: 'a', deleted: 0, status: 'post-migrating' });
    await knex('volumes').insert({ id: 'v', deleted: 0, status: 'detaching' });
    await knex('block_device_mapping').insert({ volume_id: 'v', device_name: '/dev/vdc', deleted: 0 });
    const done: string[] = [];
    const noted = async (what: string, waits: Promise<void>) => {
      await waits;
      done.push(what);
    };
    const waiting = [
      noted('at rest', rows.serverAtRest('a')),
      noted('gone', rows.serverGone('a')),
      noted('volume', rows.volumeAtRest('volume', 'v')),
    ];
    await knex('volumes').update({ status: 'available' });
    await knex('instances').update({ task_state: null });
    await knex('volumes').insert({ id: 'w', deleted: 0, status: 'in-use' });
    await knex('block_device_mapping').insert({ volume_id: 'w', device_name: '/dev/vdc', deleted: 0 });
    waiting.push(noted('attached', rows.volumeAtRest('volume', 'w')));
    for (const [table, change, whose] of [
      ['block_device_mapping', { connection_info: '{}' }, 'attached'],
      ['block_device_mapping', { deleted: 1 }, 'volume'],
      ['migrations', { status: 'finished' }, 'at rest'],
      ['instances', { deleted: 1 }, 'gone'],
    ] as const) {
      expect(done).not.toContain(whose);
      await knex(table).update(change);
      await expect.poll(() => done.at(-1)).toBe(whose);
    }
    await Promise.all(waiting);
  });

  it('what is left and what is going on is named', async () => {
    const { knex } = await emptyCloud();
    expect([await leftOver(db), await unfinished(db)]).toEqual([[], []]);
    await knex('instances').insert({ uuid: 'a', deleted: 0, task_state: 'deleting' });
    await knex('fixed_ips').insert({ address: '10.0.0.2', deleted: 0, allocated: 1 });
    const expire = toSqlTime(systemClock.now() + 3_600_000);
    await knex('quota_usages').insert({ ...usage('ram', 0), id: 7 });
    await knex('reservations').insert({
      uuid: 'r',
      usage_id: 7,
      resource: 'ram',
      delta: 1,
      expire,
      deleted: 0,
    });
    expect(await leftOver(db)).toEqual(['servers left: 1', 'fixed addresses in use: 1']);
    expect(await unfinished(db)).toEqual(['in a task state: a: deleting', 'reserved: ram 1']);
    await sweep(db);
    expect([await leftOver(db), await unfinished(db), await unequalQuotas(db)]).toEqual([[], [], []]);
    // A row for each resource, once; a move that waited to be confirmed when its server went is at its end.
    await knex('quota_usages').insert(usage('cores', 0));
    await knex('migrations').insert({ status: 'finished', deleted: 0 });
    for (const _ of [1, 2]) await makeUsages(db, 'p');
    expect(await knex('quota_usages').where({ project_id: 'p' })).toHaveLength(8);
    expect([await leftOver(db), await unequalQuotas(db)]).toEqual([[], []]);
    await knex('migrations').insert({ status: 'migrating', deleted: 0 });
    expect(await leftOver(db)).toEqual(['moves unfinished: 1']);
    let asked = 0;
    expect(await settled(async () => (asked++ === 0 ? ['later'] : []))).toEqual([]);
    expect(await settled(async () => ['for ever'], 0)).toEqual(['for ever']);
  });
});
