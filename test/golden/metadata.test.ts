import { configFrom } from '@folsom/config';
import { type RunningService, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase, toSqlTime } from '@folsom/db';
import { startMetadata } from '@folsom/metadata';
import { flavorByName } from '@folsom/nova/flavors';
import { novaOptions } from '@folsom/nova/options';
import { type GoldenExchange, goldenBody, goldenHeader, readGolden } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const recorded = readGolden('metadata');
const textOf = (path: string): string =>
  recorded
    .flatMap(one => one.exchanges)
    .find(one => one.request.path === path && one.request.method === 'GET')?.response.body ?? '';

/** Makes the instance that the recording was made with; everything about it is taken from the recording itself. */
async function recordedInstance(db: Database): Promise<void> {
  const now = toSqlTime(systemClock.now());
  const meta = JSON.parse(textOf('/openstack/latest/meta_data.json'));
  const ec2 = (path: string) => textOf(`/2009-04-04/meta-data/${path}`);
  const [keyName, keyData] = Object.entries(meta.public_keys as Record<string, string>)[0]!;
  const flavor = await flavorByName(db.knex, 'm1.tiny');
  const [network] = await db
    .knex('networks')
    .insert({ uuid: 'n', label: 'private', cidr: '10.0.0.0/24', deleted: 0 });
  const instance = {
    uuid: meta.uuid,
    hostname: (meta.hostname as string).split('.')[0],
    display_name: meta.name,
    launch_index: meta.launch_index,
    reservation_id: 'r-recorded',
    image_ref: 'image',
    kernel_id: 'kernel',
    ramdisk_id: 'ramdisk',
    key_name: keyName,
    key_data: keyData,
    user_data: Buffer.from(textOf('/latest/user-data')).toString('base64'),
    instance_type_id: flavor.id,
    project_id: 'p',
    vm_state: 'active',
    deleted: 0,
    created_at: now,
  };
  await db.knex('instances').insert(instance);
  const number = (text: string) => Number.parseInt(text.split('-')[1]!, 16);
  await db
    .knex('instance_id_mappings')
    .insert({ id: number(ec2('instance-id')), uuid: meta.uuid, deleted: 0 });
  await db.knex('s3_images').insert([
    { id: number(ec2('ami-id')), uuid: 'image', deleted: 0 },
    { id: number(ec2('ramdisk-id')), uuid: 'ramdisk', deleted: 0 },
  ]);
  for (const [key, value] of Object.entries(meta.meta as Record<string, string>)) {
    await db.knex('instance_metadata').insert({ instance_uuid: meta.uuid, key, value, deleted: 0 });
  }
  const [group] = await db.knex('security_groups').insert({ name: 'default', project_id: 'p', deleted: 0 });
  await db
    .knex('security_group_instance_association')
    .insert({ security_group_id: group, instance_uuid: meta.uuid, deleted: 0 });
  await db.knex('fixed_ips').insert({
    address: ec2('local-ipv4'),
    network_id: network,
    instance_uuid: meta.uuid,
    allocated: 1,
    leased: 1,
    reserved: 0,
    deleted: 0,
  });
}

describe('metadata as recorded from the original', () => {
  let db: Database;
  let service: RunningService;
  let plain: RunningService;
  const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
  const start = (forwarded: boolean) =>
    startMetadata({
      config: configFrom([novaOptions], {
        DEFAULT: { metadata_listen: '127.0.0.1', metadata_listen_port: 0, use_forwarded_for: forwarded },
      }),
      db,
      world,
    });

  beforeAll(async () => {
    db = await openDatabase({ connection: 'sqlite://' });
    await dbSync(db, 'nova');
    await recordedInstance(db);
    service = await start(true);
    plain = await start(false);
  });
  afterAll(async () => {
    await service.stop();
    await plain.stop();
    await db.close();
  });

  const ask = async (at: RunningService, exchange: GoldenExchange) => {
    const from = goldenHeader(exchange.request, 'x-forwarded-for');
    const answer = await fetch(`http://${at.addresses[0]}${exchange.request.path}`, {
      method: exchange.request.method,
      headers: from === undefined ? {} : { 'x-forwarded-for': from },
    });
    return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) };
  };

  it.each(recorded.map(one => [one.slug, one] as const))('%s', async (_slug, scenario) => {
    for (const exchange of scenario.exchanges) {
      const answer = await ask(service, exchange);
      expect(answer.status).toBe(exchange.response.status);
      expect(answer.headers.get('content-type')).toBe(goldenHeader(exchange.response, 'content-type'));
      const body = goldenBody(exchange.response).toString();
      if (body.startsWith('{')) expect(JSON.parse(answer.body.toString())).toEqual(JSON.parse(body));
      else if (exchange.request.path.endsWith('reservation-id'))
        expect(answer.body.toString()).toMatch(/^r-/);
      else expect(answer.body.toString()).toBe(body);
    }
  });

  it('65: CVE-2013-6419: believes no header about who asks unless told to', async () => {
    const exchange = recorded.find(one => one.slug.startsWith('052'))!.exchanges[0]!;
    expect((await ask(service, exchange)).status).toBe(200);
    expect((await ask(plain, exchange)).status).toBe(404);
  });

  it('says nothing once the address belongs to nobody or to somebody else', async () => {
    const exchange = recorded.find(one => one.slug.startsWith('052'))!.exchanges[0]!;
    await db.knex('fixed_ips').update({ allocated: 0 });
    expect((await ask(service, exchange)).status).toBe(404);
    await db.knex('fixed_ips').update({ allocated: 1 });
    expect((await ask(service, exchange)).status).toBe(200);
    await db.knex('instances').update({ deleted: 1 });
    await db.knex('fixed_ips').update({ instance_uuid: null });
    expect((await ask(service, exchange)).status).toBe(404);
  });
});
