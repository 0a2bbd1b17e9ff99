import { createSocket, type Socket } from 'node:dgram';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { must } from '@folsom/core';
import { tempDir } from '@folsom/testing';
import { strFromU8, unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vpnUserData } from './domain/vpn/payload.ts';
import { DEMO, IMAGE, OTHER, startTestApi, type TestApi } from './test-api.ts';

/** Something that answers a client's first packet as an OpenVPN server does. */
async function openVpn(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket('udp4');
  socket.on('message', (request, from) => {
    const answer = Buffer.alloc(26);
    answer[0] = 0x40;
    request.copy(answer, 14, 1, 9);
    if (request[0] === 0x38) socket.send(answer, from.port, from.address);
  });
  await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve));
  return { socket, port: socket.address().port };
}

describe('VPN guests of projects', () => {
  const dir = tempDir('folsom-cloudpipe');
  let test: TestApi;
  let server: Awaited<ReturnType<typeof openVpn>>;
  beforeAll(async () => {
    server = await openVpn();
    test = await startTestApi({
      nova: {
        vpn_image_id: IMAGE,
        keys_path: join(dir.path, 'keys'),
        ec2_dmz_host: '192.0.2.9',
        cnt_vpn_clients: 4,
      },
      answers: {
        'cert.generate_x509_cert': (_context, args) => [
          `key of ${args.user_id}`,
          `certificate of ${args.project_id}`,
        ],
        'cert.fetch_ca': () => 'authority',
        'cert.fetch_crl': () => 'revoked',
      },
    });
  });
  afterAll(async () => {
    await test.stop();
    server.socket.close();
    dir.remove();
  });
  const create = (body: unknown, admin = true) => test.call('POST', 'os-cloudpipe', { admin, body });

  it('are started once a project, with their own key, group and certificates', async () => {
    const made = await create({ cloudpipe: { project_id: DEMO } });
    expect(made.status).toBe(200);
    const uuid = made.json.instance_id;
    expect((await create({ cloudpipe: { project_id: DEMO } })).json).toEqual({ instance_id: uuid });
    const row = await test.db.knex('instances').where({ uuid }).first();
    expect(row).toMatchObject({
      ...{ project_id: DEMO, user_id: 'project-vpn', image_ref: IMAGE },
      ...{ display_name: `${DEMO}-vpn`, key_name: `${DEMO}-vpn` },
    });
    // Decoded once by the metadata service, and once more by the guest.
    const once = Buffer.from(row?.user_data ?? '', 'base64').toString();
    const files = unzipSync(Buffer.from(once, 'base64'));
    const texts = Object.fromEntries(Object.entries(files).map(([name, data]) => [name, strFromU8(data)]));
    expect(texts).toMatchObject({
      ...{ 'server.key': 'key of project-vpn', 'server.crt': `certificate of ${DEMO}` },
      ...{ 'ca.crt': 'authority', 'crl.pem': 'revoked' },
    });
    expect(texts['autorun.sh']).toContain('route 10.0.0.0 255.255.255.0 $gateway');
    expect(texts['autorun.sh']).toContain('$((last - 4))');
    expect(texts['autorun.sh']).toContain('192.0.2.9:8773');
    const [group] = await test.db.knex('security_groups').where({ project_id: DEMO, name: `${DEMO}-vpn` });
    const rules = await test.db
      .knex('security_group_rules')
      .where({ parent_group_id: group?.id ?? 0 })
      .orderBy('id');
    expect(rules).toMatchObject([
      { protocol: 'udp', from_port: 1194, to_port: 1194, cidr: '0.0.0.0/0' },
      { protocol: 'icmp', from_port: -1, to_port: -1, cidr: '0.0.0.0/0' },
    ]);
    const key = join(dir.path, 'keys', 'project-vpn', `${DEMO}-vpn.pem`);
    expect(await readFile(key, 'utf8')).toContain('PRIVATE KEY');
    expect((await stat(key)).mode & 0o077).toBe(0);
  });

  it('are listed with their addresses and whether they answer', async () => {
    const uuid = (await create({ cloudpipe: { project_id: DEMO } })).json.instance_id;
    const network = { uuid: 'net-1', label: 'vlan', vpn_public_address: '127.0.0.1', deleted: 0 };
    await test.db.knex('networks').insert({ ...network, vpn_public_port: server.port });
    const ips = [{ address: '10.0.0.2', type: 'fixed', version: 4, meta: {}, floating_ips: [] }];
    const network_info = JSON.stringify([{ id: 'v', network: { id: 'net-1', subnets: [{ ips }] } }]);
    await test.db.knex('instance_info_caches').where({ instance_uuid: uuid }).delete();
    await test.db.knex('instance_info_caches').insert({ instance_uuid: uuid, network_info, deleted: 0 });
    const list = async () => (await test.call('GET', 'os-cloudpipe', { admin: true })).json.cloudpipes;
    expect(await list()).toEqual([
      {
        ...{ project_id: DEMO, instance_id: uuid, internal_ip: '10.0.0.2', state: 'running' },
        ...{ public_ip: '127.0.0.1', public_port: server.port },
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
    ]);
    await test.db.knex('networks').update({ vpn_public_address: null });
    expect(await list()).toMatchObject([{ state: 'invalid', public_ip: null }]);
    const xml = await test.call('GET', 'os-cloudpipe', {
      admin: true,
      headers: { accept: 'application/xml' },
    });
    expect(xml.text).toContain(`<instance_id>${uuid}</instance_id>`);
  });

  it('are for administrators, whose words must make sense', async () => {
    expect((await create({ cloudpipe: { project_id: OTHER } }, false)).status).toBe(403);
    expect((await test.call('GET', 'os-cloudpipe')).status).toBe(403);
    for (const body of [
      [],
      { cloudpipe: [] },
      { cloudpipe: { project_id: 7 } },
      { cloudpipe: { project_id: '../x' } },
    ])
      expect((await create(body)).status).toBe(400);
  });

  it('leave nothing behind where their image is not there', async () => {
    const image = must(test.images.get(IMAGE), 'the image is there');
    test.images.delete(IMAGE);
    const refused = await create({ cloudpipe: { project_id: OTHER } });
    test.images.set(IMAGE, image);
    expect(refused.json.itemNotFound.message).toBe('The resource could not be found.');
    expect(await test.db.knex('security_groups').where({ project_id: OTHER })).toEqual([]);
    expect(await test.db.knex('key_pairs').where('name', 'like', `${OTHER}%`)).toEqual([]);
  });
});

it('a template with a word that nobody knows is refused', () => {
  const facts = { apiHost: 'a', apiPort: 1, network: 'n', mask: 'm', clients: 0 };
  const files = { key: '', certificate: '', authority: '', revoked: '' };
  expect(() => vpnUserData('echo $nosuch', facts, files)).toThrow('$nosuch');
});
