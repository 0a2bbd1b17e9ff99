import { request } from 'node:http';
import { configFrom } from '@folsom/config';
import { type RunningService, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { startMetadata } from '@folsom/metadata';
import { novaOptions } from '@folsom/nova/options';
import { afterAll, beforeAll, expect, it } from 'vitest';

/** Guests may ask the metadata service anything: it answers each with 200 or one of its own refusals. */
let db: Database;
let service: RunningService;
const GUEST = '10.0.0.2';

beforeAll(async () => {
  db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  const uuid = '00000000-0000-4000-8000-000000000001';
  await db.knex('instances').insert({
    uuid,
    hostname: 'guest',
    display_name: 'guest',
    // As a user can write them: not base64, not text.
    user_data: '!!not base64!!',
    key_name: 'k',
    key_data: 'ssh-rsa \u0000<x>',
    image_ref: '<&>',
    instance_type_id: 1,
    project_id: 'p',
    deleted: 0,
    vm_state: 'active',
  });
  await db
    .knex('instance_metadata')
    .insert({ instance_uuid: uuid, key: '__proto__', value: '\u2028<x>', deleted: 0 });
  const [network] = await db
    .knex('networks')
    .insert({ uuid: 'n', label: 'private', cidr: '10.0.0.0/24', deleted: 0 });
  await db.knex('fixed_ips').insert({
    address: GUEST,
    network_id: network,
    instance_uuid: uuid,
    allocated: 1,
    leased: 1,
    reserved: 0,
    deleted: 0,
  });
  service = await startMetadata({
    config: configFrom([novaOptions], {
      DEFAULT: { metadata_listen: '127.0.0.1', metadata_listen_port: 0, use_forwarded_for: true },
    }),
    db,
    world: { clock: systemClock, random: seededRandom(1), log: silentLogger },
  });
});
afterAll(async () => {
  await service.stop();
  await db.close();
});

/** Sends a path as it stands, which `fetch` would tidy up first. */
const ask = (method: string, path: string, headers: Record<string, string> = {}, body = '') =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    const [host, port] = service.addresses[0]!.split(':');
    const sent = request(
      { host, port, method, path, headers: { 'x-forwarded-for': GUEST, ...headers }, agent: false },
      answer => {
        let text = '';
        answer.on('data', chunk => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode!, text }));
      },
    );
    sent.setTimeout(20_000, () => sent.destroy(new Error(`no answer: ${method} ${path}`)));
    sent.on('error', reject);
    sent.end(body);
  });

const sound = (what: string, { status, text }: { status: number; text: string }) => {
  expect(status, `${what}: ${text.slice(0, 200)}`).toBeLessThan(500);
  expect(text, what).not.toMatch(/\n {4}at |node_modules|SQLITE/);
};

const VERSIONS = [
  'latest',
  '1.0',
  '2009-04-04',
  'openstack',
  'openstack/latest',
  'openstack/2012-08-10',
  '1999-01-01',
  '..',
  '%2e%2e',
  '__proto__',
  'constructor',
  '%00',
  '%zz',
  '',
  'x'.repeat(4000),
];
const BELOW = [
  '',
  '/',
  '/meta-data',
  '/meta-data/',
  '/meta-data/ami-id/',
  '/meta-data/__proto__',
  '/meta-data/constructor/name',
  '/meta-data/public-keys/0/openssh-key',
  '/meta-data/public-keys/9999999999999999999',
  '/meta-data/block-device-mapping/../..',
  '/user-data',
  '/user-data/more',
  '/meta_data.json',
  '/user_data',
  '/content/0000',
  '/content/../../etc/passwd',
  '//',
  '?x=1',
  '/%ff',
];

it('answers every path below every version', async () => {
  const statuses = new Set<number>();
  for (const version of VERSIONS) {
    for (const below of BELOW) {
      const answer = await ask('GET', `/${version}${below}`);
      sound(`GET /${version.slice(0, 30)}${below}`, answer);
      statuses.add(answer.status);
    }
  }
  expect([...statuses]).toEqual(expect.arrayContaining([200, 404]));
});

it('answers whoever asks, whatever he says of himself', async () => {
  for (const from of [
    '',
    ' ',
    'not an address',
    '10.0.0.3',
    '::1',
    '10.0.0.2, 10.0.0.2',
    '999.999.999.999',
    "';--",
    '\u00ff',
    'x'.repeat(5000),
  ]) {
    sound(`from ${from.slice(0, 30)}`, await ask('GET', '/latest/meta-data/', { 'x-forwarded-for': from }));
    sound(
      `id ${from.slice(0, 30)}`,
      await ask('GET', '/latest/meta-data/', { 'x-instance-id': from, 'x-instance-id-signature': from }),
    );
  }
  expect((await ask('GET', '/latest/meta-data/', { 'x-forwarded-for': '10.0.0.3' })).status).toBe(404);
});

it('answers every method, bodies and headers of any size', async () => {
  for (const method of ['HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])
    sound(method, await ask(method, '/latest/meta-data/', {}, method === 'TRACE' ? '' : 'x'));
  sound(
    'a large body',
    await ask(
      'POST',
      '/latest/',
      { 'content-type': 'application/xml' },
      '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'.padEnd(500_000),
    ),
  );
  expect((await ask('GET', '/latest/', { 'x-big': 'y'.repeat(20_000) })).status).toBe(431);
});
