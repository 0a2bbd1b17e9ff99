import { recordFault } from '@folsom/nova/instances';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, bootBody, DEMO, makeActive, startTestApi, type TestApi } from '../../test-api.ts';

describe('a detailed listing', () => {
  let test: TestApi;
  let uuid: string;
  beforeAll(async () => {
    test = await startTestApi();
    uuid = (await test.call('POST', 'servers', { body: bootBody() })).json.server.id;
    await test.call('POST', 'servers', { body: bootBody() });
    await makeActive(test, uuid);
  });
  afterAll(() => test.stop());

  const listed = async (options = {}, query = '') => {
    const { json } = await test.call('GET', `servers/detail${query}`, options);
    return json.servers.find((server: { id: string }) => server.id === uuid);
  };
  const shown = async () => (await test.call('GET', `servers/${uuid}`)).json.server;

  it('is the same from a kept text', async () => {
    const first = await test.call('GET', 'servers/detail');
    const second = await test.call('GET', 'servers/detail');
    expect(second.text).toBe(first.text);
    expect(await listed()).toEqual(await shown());
    const paged = await test.call('GET', 'servers/detail?limit=1');
    expect(paged.json.servers).toHaveLength(1);
    expect(paged.json.servers_links[0].rel).toBe('next');
  });

  it('shows every change at once, whichever table it is in', async () => {
    const { knex } = test.db;
    const changes: [string, () => Promise<unknown>, unknown][] = [
      ['name', () => knex('instances').where({ uuid }).update({ display_name: 'new' }), 'new'],
      [
        'metadata',
        () => knex('instance_metadata').insert({ instance_uuid: uuid, key: 'k', value: 'v', deleted: 0 }),
        { k: 'v' },
      ],
      ['metadata', () => knex('instance_metadata').update({ value: 'w' }), { k: 'w' }],
      ['security_groups', () => knex('security_groups').update({ name: 'other' }), [{ name: 'other' }]],
      [
        'addresses',
        () =>
          knex('instance_info_caches')
            .where({ instance_uuid: uuid })
            .update({
              network_info: JSON.stringify([
                { network: { label: 'net', subnets: [{ ips: [{ address: '10.0.0.2', version: 4 }] }] } },
              ]),
            }),
        { net: [{ version: 4, addr: '10.0.0.2' }] },
      ],
      ['status', () => knex('instances').where({ uuid }).update({ vm_state: 'error' }), 'ERROR'],
    ];
    for (const [key, change, value] of changes) {
      await listed();
      await change();
      expect((await listed())[key]).toEqual(value);
      expect(await listed()).toEqual(await shown());
    }
    const fault = { instance_uuid: uuid, code: 500, message: 'Boom', details: 'for operators' };
    await recordFault(knex, fault, Date.now());
    expect((await listed()).fault).toMatchObject({ code: 500, message: 'Boom' });
  });

  it('shows nobody what only others may see', async () => {
    const all = await listed({ admin: true }, '?all_tenants=1');
    expect(all).toMatchObject({ 'OS-EXT-SRV-ATTR:host': 'node1', fault: { details: 'for operators' } });
    expect(all.links[0].href).toContain(`/v2/${ADMIN}/servers/`);
    const own = await listed();
    expect(own).not.toHaveProperty('OS-EXT-SRV-ATTR:host');
    expect(own.fault).not.toHaveProperty('details');
    expect(own.links[0].href).toContain(`/v2/${DEMO}/servers/`);
  });
});
