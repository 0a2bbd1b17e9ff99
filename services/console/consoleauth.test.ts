import { configFrom } from '@folsom/config';
import { createLogger, type RunningService, requestContext, seededRandom } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { novaOptions } from '@folsom/nova/options';
import { consoleauthContract } from '@folsom/nova/rpc/consoleauth';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import {
  type FakeClock,
  fakeClock,
  serverMissing,
  startMemcached,
  type ThrowAwayServer,
} from '@folsom/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startConsoleAuth } from './index.ts';

const context = requestContext({ isAdmin: true });
const uuid = '11111111-1111-4111-8111-111111111111';
const token = 'MARKED-0000-4000-8000-token';

let clock: FakeClock;
let db: Database;
let bus: LocalBus;
let services: RunningService[];
let lines: string[];
/** Port of the guest as its host says. */
let owned: number | undefined;

beforeEach(async () => {
  clock = fakeClock();
  lines = [];
  services = [];
  owned = 5900;
  db = await openDatabase({ connection: 'sqlite://', clock });
  await dbSync(db, 'nova');
  await db.knex('instances').insert({
    uuid,
    host: 'h1',
    vm_state: 'active',
    project_id: 'p',
    instance_type_id: 2,
    memory_mb: 1,
    vcpus: 1,
    root_gb: 0,
    ephemeral_gb: 0,
    deleted: 0,
  });
  bus = createLocalBus(world());
  await bus.serve({
    topic: 'compute',
    host: 'h1',
    version: '2.2',
    handlers: {
      validate_console_port: ((_: unknown, args: { port: number; instance: { uuid: string } }) =>
        args.instance.uuid === uuid && args.port === owned) as never,
    },
  });
});

afterEach(async () => {
  for (const service of services) await service.stop();
  await bus.close();
  await db.close();
});

const world = () => ({
  clock,
  random: seededRandom(1),
  log: createLogger({ clock, level: 'debug', write: line => lines.push(line) }),
});

async function start(values: Record<string, string> = {}) {
  const config = configFrom([novaOptions], { DEFAULT: { host: 'auth', report_interval: '0', ...values } });
  const service = await startConsoleAuth({ config, db, bus, world: world() });
  services.push(service);
  return service;
}

const client = () => consoleauthContract.client(bus);
const access = {
  token,
  console_type: 'novnc',
  host: '192.0.2.1',
  port: 5900,
  internal_access_path: null,
  instance_uuid: uuid,
};
const check = (wanted = token) => client().check_token(context, { token: wanted });

describe('console tokens', () => {
  it('open what they were made for, and write no secret to the log', async () => {
    await start();
    expect(await client().authorize_console(context, access)).toBeNull();
    expect(await check()).toEqual({ ...access, last_activity_at: clock.now() / 1000 });
    expect(await check(), 'CVE-2015-0259: a token opens once').toBeNull();
    await client().authorize_console(context, access);
    const atOnce = await Promise.all([check(), check(), check()]);
    expect(atOnce.filter(found => found !== null)).toHaveLength(1);
    expect(await check('another')).toBeNull();
    expect(await check('')).toBeNull();
    expect(await check('x'.repeat(100_000))).toBeNull();
    expect(await check(uuid)).toBeNull();
    expect(lines.join('')).not.toContain('MARKED');
  });

  it('expire', async () => {
    await start({ console_token_ttl: '600' });
    await client().authorize_console(context, access);
    await client().authorize_console(context, { ...access, token: 'later' });
    await clock.advance(599_000);
    expect(await check('later')).not.toBeNull();
    await clock.advance(2000);
    expect(await check()).toBeNull();
  });

  it('CVE-2013-0335, CVE-2014-8750: are bound to their instance and to its port as it is now', async () => {
    await start();
    await client().authorize_console(context, access);
    await client().authorize_console(context, { ...access, token: 'second' });
    // The port has gone to another guest after a stop.
    owned = 5901;
    expect(await check()).toBeNull();
    owned = 5900;
    // The instance has left its host, or is deleted.
    await db.knex('instances').update({ host: null });
    expect(await check()).toBeNull();
    await db.knex('instances').update({ host: 'h1', deleted: 1 });
    expect(await check()).toBeNull();
    await db.knex('instances').update({ deleted: 0 });
    expect(await check(), 'good again, and not used up by refusals').not.toBeNull();
    await client().authorize_console(context, access);
    await client().delete_tokens_for_instance(context, { instance_uuid: uuid });
    expect([await check(), await check('second')]).toEqual([null, null]);
    // Without an instance there is nobody to ask.
    await client().authorize_console(context, { ...access, instance_uuid: null });
    expect(await check()).toBeNull();
  });

  it('are taken back when authorised all at once', async () => {
    await start();
    const many = Array.from({ length: 50 }, (_, n) => `t${n}`);
    await Promise.all(many.map(name => client().authorize_console(context, { ...access, token: name })));
    await client().delete_tokens_for_instance(context, { instance_uuid: uuid });
    expect(await Promise.all(many.map(name => check(name)))).toEqual(many.map(() => null));
  });
});

describe.skipIf(serverMissing('memcached'))('tokens in memcached', () => {
  let memcached: ThrowAwayServer;
  afterEach(() => memcached.stop());

  it('outlive the service', async () => {
    memcached = await startMemcached();
    const servers = { memcached_servers: `127.0.0.1:${memcached.port}` };
    const first = await start(servers);
    await client().authorize_console(context, { ...access, internal_access_path: '/pfäd' });
    await first.stop();
    await start(servers);
    expect(await check()).toMatchObject({ instance_uuid: uuid, internal_access_path: '/pfäd' });
    expect(await check()).toBeNull();
    expect(await check('a b\r\nflush_all')).toBeNull();
    await client().delete_tokens_for_instance(context, { instance_uuid: uuid });
    expect(await check()).toBeNull();
  });
});
