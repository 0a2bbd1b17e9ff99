import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EC2_ACTIONS } from './ec2/actions.ts';
import type { Parameter, Shape } from './ec2/http/shapes.ts';
import { DEMO, IMAGE, makeActive, OTHER, testImage } from './test-api.ts';
import { find, findAll, startTestEc2, type TestEc2, textOf } from './test-ec2.ts';

let test: TestEc2;
let image: string;
beforeAll(async () => {
  test = await startTestEc2({ lockout: { attempts: 0, minutes: 0, window: 0 } });
  image = textOf((await test.act('DescribeImages')).xml, 'imageId')!;
});
afterAll(() => test.stop());

/** Boots an instance as somebody; its id. */
async function boot(as = 'demo'): Promise<string> {
  const answer = await test.act('RunInstances', { ImageId: image, InstanceType: 'm1.tiny' }, { as });
  expect(answer.status).toBe(200);
  return textOf(answer.xml, 'instanceId')!;
}

const uuidOf = async (id: string): Promise<string> =>
  (await test.db
    .knex('instance_id_mappings')
    .where({ id: Number.parseInt(id.slice(2), 16) })
    .first('uuid'))!.uuid;

describe('images', () => {
  it('that are named are asked for at once, and come in the order in which they were named', async () => {
    const others = ['b', 'a'].map(letter => `${letter.repeat(8)}-0000-4000-8000-000000000000`);
    for (const id of others) test.images.set(id, testImage(id, { name: `image ${id[0]}` }));
    const ids = findAll((await test.act('DescribeImages')).xml, 'imageId').map(element => element.text);
    expect(ids).toHaveLength(3);
    const { show, list } = test.imageClient;
    let asked = 0;
    test.imageClient.show = (context, id) => {
      asked += 1;
      return show(context, id);
    };
    test.imageClient.list = (context, query) => {
      asked += 1;
      return list(context, query);
    };
    const wanted = [ids[2]!, ids[0]!, ids[1]!];
    const named = await test.act(
      'DescribeImages',
      Object.fromEntries(wanted.map((id, at) => [`ImageId.${at + 1}`, id])),
    );
    expect(findAll(named.xml, 'imageId').map(element => element.text)).toEqual(wanted);
    expect(asked).toBe(1);
    Object.assign(test.imageClient, { show, list });
    const other = await test.act('DescribeImages', {
      'ImageId.1': ids[0]!,
      'ImageId.2': ids[1]!.replace('ami', 'aki'),
    });
    expect(other).toMatchObject({ status: 400, code: 'ImageNotFound' });
    for (const id of others) test.images.delete(id);
  });
});

describe('instances', () => {
  it('are booted with what the request says', async () => {
    await test.act('CreateKeyPair', { KeyName: 'key' });
    const answer = await test.act('RunInstances', {
      ImageId: image,
      InstanceType: 'm1.tiny',
      MinCount: '2',
      MaxCount: '2',
      KeyName: 'key',
      UserData: Buffer.from('hello').toString('base64'),
      'Placement.AvailabilityZone': 'nova',
    });
    expect(answer.status).toBe(200);
    const ids = findAll(answer.xml, 'instanceId').map(element => element.text);
    expect(ids).toHaveLength(2);
    const row = (await test.db
      .knex('instances')
      .where({ uuid: await uuidOf(ids[0]!) })
      .first())!;
    expect(row).toMatchObject({ key_name: 'key', availability_zone: 'nova', project_id: DEMO });
    expect(row.display_name).toBe(`Server ${row.uuid}`);
    expect(row.hostname).toBe(`server-${row.uuid}`);
    const shown = await test.act('DescribeInstances', { 'InstanceId.1': ids[0]! });
    expect(textOf(shown.xml, 'keyName')).toBe('key');
    expect(findAll(shown.xml, 'instanceId').map(element => element.text)).toEqual([ids[0]]);
    const userData = await test.act('DescribeInstanceAttribute', {
      InstanceId: ids[0]!,
      Attribute: 'userData',
    });
    expect(textOf(userData.xml, 'userData')).toBe('hello');
  });

  it('have one number whoever asks first, and the same for the metadata service', async () => {
    const id = await boot();
    const uuid = await uuidOf(id);
    const again = await Promise.all(
      Array.from({ length: 5 }, () => test.act('DescribeInstances', { 'InstanceId.1': id })),
    );
    for (const answer of again) expect(textOf(answer.xml, 'instanceId')).toBe(id);
    expect(await test.db.knex('instance_id_mappings').where({ uuid })).toHaveLength(1);
  });

  it('are ended, and then are not there any more', async () => {
    const id = await boot();
    const answer = await test.act('TerminateInstances', { 'InstanceId.1': id }, { method: 'GET' });
    expect(answer.status).toBe(200);
    expect(textOf(find(answer.xml, 'currentState'), 'name')).toBe('terminated');
    expect(textOf(find(answer.xml, 'previousState'), 'name')).toBe('pending');
    expect(await test.act('TerminateInstances', { 'InstanceId.1': id })).toMatchObject({
      status: 400,
      code: 'InstanceNotFound',
      message: `Instance ${id} could not be found.`,
    });
  });

  it('of which one is not there: nothing is done to the others', async () => {
    const id = await boot();
    const answer = await test.act('TerminateInstances', { 'InstanceId.1': id, 'InstanceId.2': 'i-00ffffff' });
    expect(answer).toMatchObject({ status: 400, code: 'InstanceNotFound' });
    const row = await test.db
      .knex('instances')
      .where({ uuid: await uuidOf(id) })
      .first();
    expect(row).toMatchObject({ deleted: 0, task_state: 'scheduling' });
  });

  it('are shown as they are now, however often they were shown before', async () => {
    const id = await boot();
    const uuid = await uuidOf(id);
    const shown = async (as = 'demo') =>
      findAll((await test.act('DescribeInstances', {}, { as })).xml, 'item').find(item =>
        item.children.some(({ name, text }) => name === 'instanceId' && text === id),
      );
    const { knex } = test.db;
    const instance = (values: object) => knex('instances').where({ uuid }).update(values);
    const network = (...ips: string[]) => {
      const list = ips.map(address => ({
        address,
        version: address.includes(':') ? 6 : 4,
        floating_ips: [],
      }));
      const network_info = JSON.stringify([{ id: 'v', network: { subnets: [{ ips: list }] } }]);
      return knex('instance_info_caches').where({ instance_uuid: uuid }).update({ network_info });
    };
    await instance({ vm_state: 'active' });
    for (const [change, name, text] of [
      [() => instance({ vm_state: 'stopped' }), 'name', 'stopped'],
      [() => instance({ key_name: 'another' }), 'keyName', 'another'],
      [() => instance({ hostname: 'renamed' }), 'privateDnsName', 'renamed'],
      [() => instance({ launch_index: 7 }), 'amiLaunchIndex', '7'],
      [() => instance({ root_device_name: '/dev/vda9' }), 'rootDeviceName', '/dev/vda9'],
      [() => network('10.9.8.7'), 'privateIpAddress', '10.9.8.7'],
      [() => network('10.9.8.6', 'fd00::6'), 'dnsNameV6', 'fd00::6'],
    ] as const) {
      expect(textOf(await shown(), name), name).not.toBe(text);
      await change();
      expect(textOf(await shown(), name), name).toBe(text);
    }
    // What one sees is not kept for another.
    expect(textOf(await shown('admin'), 'keyName')).toMatch(/^another \(/);
    expect(textOf(await shown(), 'keyName')).toBe('another');
    await instance({ deleted: 1 });
    expect(await shown()).toBeUndefined();
  });

  it('are listed with as many statements for a thousand as for ten', async () => {
    const counted = async (): Promise<number> => {
      let statements = 0;
      const count = () => {
        statements += 1;
      };
      test.db.knex.on('query', count);
      const answer = await test.act('DescribeInstances', {}, { as: 'other' });
      test.db.knex.removeListener('query', count);
      expect(answer.status).toBe(200);
      return statements;
    };
    const template = await test.db.knex('instances').first();
    const insert = async (from: number, to: number) => {
      for (let at = from; at < to; at += 50) {
        const rows = Array.from({ length: Math.min(50, to - at) }, (_none, index) => ({
          ...template,
          id: undefined,
          uuid: `00000000-0000-4000-8000-${String(at + index).padStart(12, '0')}`,
          reservation_id: `r-${at + index}`,
          project_id: OTHER,
          host: 'node1',
          deleted: 0,
        }));
        await test.db.knex('instances').insert(rows.map(({ id: _id, ...row }) => row));
      }
    };
    // The service asks now and then on its own account.
    const least = async () => Math.min(await counted(), await counted(), await counted());
    await insert(0, 10);
    const few = await least();
    await insert(10, 1_000);
    expect(await least()).toBe(few);
    const { text } = await test.act('DescribeInstances', {}, { as: 'other' });
    expect(text.match(/<instanceId>i-/g)).toHaveLength(1_000);
    await test.db.knex('instances').where({ project_id: OTHER }).delete();
  });
});

describe('security groups', () => {
  it('let ranges and the members of groups in, and take that back', async () => {
    await test.act('CreateSecurityGroup', { GroupName: 'web', GroupDescription: 'desc' });
    const range = {
      GroupName: 'web',
      'IpPermissions.1.IpProtocol': 'tcp',
      'IpPermissions.1.FromPort': '80',
      'IpPermissions.1.ToPort': '81',
      'IpPermissions.1.IpRanges.1.CidrIp': '10.0.0.0/8',
      'IpPermissions.1.IpRanges.2.CidrIp': '192.168.0.0/16',
    };
    const group = { GroupName: 'web', SourceSecurityGroupName: 'default', SourceSecurityGroupOwnerId: DEMO };
    expect((await test.act('AuthorizeSecurityGroupIngress', range)).status).toBe(200);
    expect((await test.act('AuthorizeSecurityGroupIngress', group)).status).toBe(200);
    expect(await test.act('AuthorizeSecurityGroupIngress', range)).toMatchObject({
      status: 400,
      code: 'EC2APIError',
    });
    const shown = await test.act('DescribeSecurityGroups', { 'GroupName.1': 'web' });
    expect(findAll(shown.xml, 'cidrIp').map(element => element.text)).toEqual([
      '10.0.0.0/8',
      '192.168.0.0/16',
    ]);
    expect(findAll(shown.xml, 'userId').map(element => element.text)).toEqual([DEMO, DEMO, DEMO]);
    expect((await test.act('RevokeSecurityGroupIngress', range)).status).toBe(200);
    expect((await test.act('RevokeSecurityGroupIngress', group)).status).toBe(200);
    expect(await test.act('RevokeSecurityGroupIngress', group)).toMatchObject({
      message: 'No rule for the specified parameters.',
    });
  });
});

describe('who may', () => {
  it('answers nobody without a good signature', async () => {
    expect(await test.act('DescribeRegions', {}, { signature: 'bad' })).toMatchObject({
      status: 400,
      code: 'Unauthorized',
    });
    expect(await test.act('DescribeRegions', {}, { as: 'nobody' })).toMatchObject({
      status: 400,
      code: 'Unauthorized',
    });
    const bare = await fetch(`${test.ec2Url}/services/Cloud`);
    expect(bare.status).toBe(400);
    expect(await bare.text()).toContain('<Message>Signature not provided</Message>');
    for (const path of ['/', '/services/Admin/']) expect((await fetch(test.ec2Url + path)).status).toBe(404);
  });

  it('shows and changes nothing of another tenant', async () => {
    const id = await boot();
    const uuid = await uuidOf(id);
    await makeActive(test, uuid);
    await test.act('CreateKeyPair', { KeyName: 'mine' });
    await test.act('CreateSecurityGroup', { GroupName: 'mine', GroupDescription: 'x' });
    const [group] = await test.db.knex('security_groups').where({ name: 'mine' }).select('id');
    await test.db
      .knex('floating_ips')
      .insert({ address: '172.24.4.9', project_id: DEMO, pool: 'nova', deleted: 0, auto_assigned: 0 });
    const volume = textOf((await test.act('CreateVolume', { Size: '1' })).xml, 'volumeId')!;
    const numbered = (await test.db
      .knex('volume_id_mappings')
      .where({ id: Number.parseInt(volume.slice(4), 16) })
      .first('uuid'))!;
    await test.db.knex('snapshots').insert({
      id: 'snapshot-of-demo',
      volume_id: numbered.uuid,
      project_id: DEMO,
      status: 'available',
      volume_size: 1,
      deleted: 0,
    });
    const snapshot = textOf((await test.act('DescribeSnapshots')).xml, 'snapshotId')!;
    const tables = [
      'volumes',
      'snapshots',
      'instances',
      'security_groups',
      'security_group_rules',
      'key_pairs',
      'floating_ips',
    ];
    const state = () => Promise.all(tables.map(table => test.db.knex(table).where('deleted', 0).select()));
    // Whoever looks first makes his own group.
    await test.act('DescribeSecurityGroups', {}, { as: 'other' });
    const before = await state();
    for (const { name, parameters } of EC2_ACTIONS) {
      if (!touches(parameters)) continue;
      const given = named(parameters, { instance: id, group: String(group!.id), volume, snapshot });
      const answer = await test.act(name, given, { as: 'other' });
      expect(answer.text, name).not.toContain(DEMO);
      expect(answer.text.includes(uuid), name).toBe(false);
    }
    expect(await state()).toEqual(before);
  });
});

/** Whether an action names something that belongs to a tenant. */
const touches = (shape: Shape): boolean =>
  ['InstanceId', 'GroupId', 'PublicIp', 'VolumeId', 'SnapshotId'].some(name => Object.hasOwn(shape, name));

/** Everything that the action can name, by what is there. */
function named(
  shape: Shape,
  things: { instance: string; group: string; volume: string; snapshot: string },
): Record<string, string> {
  const values: Record<string, string> = {
    InstanceId: things.instance,
    GroupId: things.group,
    VolumeId: things.volume,
    SnapshotId: things.snapshot,
    Device: '/dev/vdb',
    Size: '1',
    PublicIp: '172.24.4.9',
    Attribute: 'userData',
    CidrIp: '10.0.0.0/8',
    IpProtocol: 'tcp',
    FromPort: '1',
    ToPort: '2',
  };
  return Object.fromEntries(
    Object.entries(shape)
      .filter(([name]) => values[name] !== undefined)
      .map(([name, { kind }]) => [kind === 'list' ? `${name}.1` : name, values[name]!]),
  );
}

describe('bad input', () => {
  const texts = [
    '',
    ' ',
    '0',
    '-1',
    '99999999999999999999',
    '1e3',
    '0x7fffffff',
    'None',
    'true',
    '../../etc/passwd',
    "'; DROP TABLE instances; --",
    '%00',
    '\u0000',
    '\ud83d\ude00',
    '<a>&b;</a>',
    'i-',
    'i-zz',
    'ami-ffffffffffffffff',
    'x'.repeat(300),
  ];
  /** What a parameter of that kind can be said wrongly with: texts in every place, and a tree for a text. */
  const wrong = (name: string, { kind }: Parameter<unknown>): Record<string, string>[] => {
    const places =
      kind === 'list'
        ? [name, `${name}.1`, `${name}.x`, `${name}.1.2.3`]
        : kind === 'records'
          ? [
              name,
              `${name}.1`,
              `${name}.1.Ebs`,
              `${name}.1.DeviceName`,
              `${name}.1.Ebs.VolumeSize`,
              `${name}.-1.Name`,
            ]
          : [name, `${name}.1`, `${name}.1.2.3.4.5.6.7.8.9`];
    // Inner places are read as the outer ones are.
    return places.flatMap((place, at) => {
      const some = kind === 'records' ? texts.slice(-2) : at === 0 ? texts : texts.slice(-1);
      return some.map(text => ({ [place]: text }));
    });
  };
  const good: Record<string, string> = {
    ImageId: 'ami-00ffffff',
    InstanceId: 'i-00ffffff',
    KeyName: 'k',
    PublicIp: '10.0.0.1',
    Attribute: 'userData',
    GroupName: 'g',
    GroupDescription: 'd',
    PublicKeyMaterial: 'eA==',
    VolumeId: 'vol-00ffffff',
    SnapshotId: 'snap-00ffffff',
    Device: '/dev/vdb',
  };

  it.each(EC2_ACTIONS.map(action => [action.name, action] as const))(
    '%s answers a word for it',
    async (name, { parameters }) => {
      const base = Object.fromEntries(
        Object.keys(parameters)
          .filter(one => good[one])
          .map(one => [one, good[one]!]),
      );
      const requests = Object.entries(parameters).flatMap(([one, parameter]) =>
        wrong(one, parameter).map(given => ({ one, given })),
      );
      for (const { one, given } of [...requests, { one: '', given: {} }]) {
        const { [one]: _replaced, ...others } = base;
        const answer = await test.act(name, { ...others, ...given });
        const shown = `${name} ${JSON.stringify(given)}: ${answer.text.slice(0, 300)}`;
        expect([200, 400], shown).toContain(answer.status);
        expect(answer.type, shown).toBe('text/xml');
        if (answer.status === 400) {
          expect(answer.code, shown).toMatch(/^\w+$/);
          expect(answer.message, shown).not.toBe('');
          expect(textOf(answer.xml, 'RequestID'), shown).toMatch(/^req-/);
        }
        expect(answer.text, shown).not.toMatch(/node_modules|\.ts:\d|SQLITE|TypeError|undefined|\[object/);
      }
    },
  );

  it.each(EC2_ACTIONS.map(({ name, parameters }) => [name, Object.keys(parameters)] as const))(
    '%s answers what is said twice',
    async (name, parameters) => {
      const form = new URLSearchParams({
        ...{ AWSAccessKeyId: 'demo', Action: name, SignatureMethod: 'HmacSHA256', SignatureVersion: '2' },
        ...{ Timestamp: '2012-09-27T10:00:00Z', Version: '2011-01-01', Signature: 'good' },
      });
      for (const one of parameters)
        for (const place of [one, one, `${one}.1`, `${one}.1`]) form.append(place, good[one] ?? '1');
      const answer = await fetch(`${test.ec2Url}/services/Cloud/`, { method: 'POST', body: form });
      const text = await answer.text();
      expect([200, 400], text.slice(0, 300)).toContain(answer.status);
      expect(text).not.toMatch(/TypeError|undefined|\[object/);
    },
  );

  it('of the request as a whole is told as well', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 3_000 }, (_none, at) => [`InstanceId.${at}`, 'i-1']),
    );
    expect(await test.act('DescribeInstances', many)).toMatchObject({
      status: 400,
      code: 'TooManyParameters',
    });
    expect(await test.act('FooBar')).toMatchObject({
      status: 400,
      code: 'InvalidRequest',
      message: 'The request is invalid.',
    });
    expect(await test.act('constructor')).toMatchObject({ status: 400, code: 'InvalidRequest' });
    const large = await test.act('ImportKeyPair', { KeyName: 'k', PublicKeyMaterial: 'x'.repeat(400_000) });
    expect(large).toMatchObject({ status: 400, code: 'RequestTooLarge' });
    expect(await test.act('DescribeInstances', { InstanceId: 'i-1', 'InstanceId.1': 'i-2' })).toMatchObject({
      status: 400,
    });
    expect(IMAGE).not.toBe('');
  });
});
