import { configFrom } from '@folsom/config';
import { type RunningService, seededRandom, silentLogger } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { novaOptions } from '@folsom/nova/options';
import { fakeClock } from '@folsom/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startMetadata } from './index.ts';

const ADDRESS = '10.0.0.2';
const clock = fakeClock();
let db: Database;
let service: RunningService;
beforeAll(async () => {
  db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  for (const name of ['one', 'two'])
    await db.knex('instances').insert({
      ...{ uuid: name, hostname: name, display_name: name, key_name: 'k', key_data: `ssh-rsa ${name}` },
      ...{ image_ref: 'i', instance_type_id: 1, project_id: 'p', deleted: 0, vm_state: 'active' },
    });
  const [network_id] = await db
    .knex('networks')
    .insert({ uuid: 'n', label: 'private', cidr: '10.0.0.0/24', deleted: 0 });
  await db.knex('fixed_ips').insert({ address: ADDRESS, network_id, leased: 1, reserved: 0, deleted: 0 });
  service = await startMetadata({
    config: configFrom([novaOptions], {
      DEFAULT: { metadata_listen: '127.0.0.1', metadata_listen_port: 0, use_forwarded_for: true },
    }),
    db,
    world: { clock, random: seededRandom(1), log: silentLogger },
  });
});
afterAll(async () => {
  await service.stop();
  await db.close();
});
const give = (instance_uuid: string | null, allocated = 1) =>
  db.knex('fixed_ips').update({ instance_uuid, allocated });
beforeEach(() => give('one'));

const get = async (path: string, from = ADDRESS) => {
  const answer = await fetch(`http://${service.addresses[0]}${path}`, {
    headers: { 'x-forwarded-for': from },
  });
  return answer.status === 200 ? answer.text() : answer.status;
};

describe('a guest', () => {
  it('is who has the address now: what was collected for the one before is not told to the next', async () => {
    expect(await get('/latest/meta-data/hostname')).toMatch(/^one/);
    await give('two');
    expect(await get('/latest/meta-data/hostname')).toMatch(/^two/);
    await give(null, 0);
    expect(await get('/latest/meta-data/hostname')).toBe(404);
  });

  it('has the key that its row has, at the latest after fifteen seconds', async () => {
    const key = () => get('/latest/meta-data/public-keys/0/openssh-key');
    await clock.advance(15_000);
    expect(await key()).toBe('ssh-rsa one');
    await db.knex('instances').where({ uuid: 'one' }).update({ key_data: 'ssh-rsa new' });
    await clock.advance(14_999);
    expect(await key()).toBe('ssh-rsa one');
    await clock.advance(1);
    expect(await key()).toBe('ssh-rsa new');
  });

  it.each(['', 'one', '10.0.0.3', '::1', '10.0.0.2, 10.0.0.3', '010.0.0.2'])(
    'that comes from %j is nobody',
    async from => expect(await get('/latest/meta-data/', from)).toBe(404),
  );

  it('finds its way by doubled slashes and dots, and no way out', async () => {
    expect(await get('//latest//meta-data/./x/../hostname')).toMatch(/^one/);
    expect(await get('/latest/meta-data/..%2f..%2fetc')).toBe(404);
    expect(await get('/latest/meta-data/%E0%A4%A')).toBe(400);
  });
});
