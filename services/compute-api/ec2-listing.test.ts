import { must } from '@folsom/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEMO } from './test-api.ts';
import { startEc2Front, startTestEc2, type TestEc2, textOf } from './test-ec2.ts';

let test: TestEc2;
beforeAll(async () => {
  test = await startTestEc2();
});
afterAll(() => test.stop());

/** What may become of an instance behind the front's back, one after the other. */
function changesOf(uuid: string): [string, () => PromiseLike<unknown>][] {
  const { knex } = test.db;
  const created_at = '2012-09-27 10:00:00';
  const row = { created_at, deleted: 0 };
  const volume = '7f000000-0000-4000-8000-000000000001';
  const group = { ...row, name: 'later', project_id: DEMO, user_id: 'u', description: '' };
  const mapping = { ...row, instance_uuid: uuid, volume_id: volume, device_name: '/dev/vdb' };
  const service = {
    ...row,
    host: 'host-z',
    binary: 'nova-compute',
    topic: 'compute',
    report_count: 0,
    disabled: 0,
  };
  return [
    ['its host', () => knex('instances').where({ uuid }).update({ host: 'host-z' })],
    ['the zone of the host', () => knex('services').insert({ ...service, availability_zone: 'west' })],
    ['another zone', () => knex('services').where({ host: 'host-z' }).update({ availability_zone: 'east' })],
    [
      'a volume',
      async () => {
        await knex('volumes').insert({ ...row, id: volume, project_id: DEMO, size: 1, status: 'in-use' });
        await knex('block_device_mapping').insert({ ...mapping, delete_on_termination: 0 });
      },
    ],
    [
      'what becomes of it',
      () => knex('block_device_mapping').where({ volume_id: volume }).update({ delete_on_termination: 1 }),
    ],
    ['its state', () => knex('volumes').where({ id: volume }).update({ status: 'detaching' })],
    ['when it came', () => knex('volumes').where({ id: volume }).update({ attach_time: created_at })],
    ['no volume', () => knex('block_device_mapping').where({ volume_id: volume }).update({ deleted: 1 })],
    [
      'a group',
      async () => {
        const [security_group_id] = await knex('security_groups').insert(group);
        await knex('security_group_instance_association').insert({
          ...row,
          instance_uuid: uuid,
          security_group_id,
        });
      },
    ],
    [
      'the name of a group',
      () => knex('security_groups').where({ name: 'later' }).update({ name: 'renamed' }),
    ],
    [
      'no group',
      () => knex('security_group_instance_association').where({ instance_uuid: uuid }).update({ deleted: 1 }),
    ],
    ['another boot', () => knex('instances').where({ uuid }).update({ reservation_id: 'r-other' })],
    [
      'an address',
      () => knex('instance_info_caches').where({ instance_uuid: uuid }).update({ network_info: '[]' }),
    ],
    ['its end', () => knex('instances').where({ uuid }).update({ vm_state: 'soft-delete' })],
  ];
}

it('instances are shown by a process that has shown them before as by one that has just started', async () => {
  const image = textOf((await test.act('DescribeImages')).xml, 'imageId')!;
  const booted = await test.act('RunInstances', { ImageId: image, InstanceType: 'm1.tiny' });
  const id = textOf(booted.xml, 'instanceId')!;
  const { uuid } = (await test.db
    .knex('instance_id_mappings')
    .where({ id: Number.parseInt(id.slice(2), 16) })
    .first('uuid'))!;
  const { knex } = test.db;
  const told = (text: string) => text.replace(/<requestId>[^<]*/, '');
  for (const as of ['demo', 'admin']) await test.act('DescribeInstances', {}, { as });
  for (const [name, change] of changesOf(must(uuid, 'a row of a booted instance'))) {
    await change();
    const other = await startEc2Front(test);
    for (const as of ['demo', 'admin']) {
      const [here, there] = [
        await test.act('DescribeInstances', {}, { as }),
        await other.act('DescribeInstances', {}, { as }),
      ];
      expect([name, here.status, told(here.text)]).toEqual([name, 200, told(there.text)]);
      // Again, as it was kept.
      expect(told((await test.act('DescribeInstances', {}, { as })).text)).toBe(told(here.text));
    }
    await other.ec2.stop();
  }
  await knex('services').where({ host: 'host-z' }).delete();
  await knex('instances').where({ uuid }).update({ deleted: 1 });
});
