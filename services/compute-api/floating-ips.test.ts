import { systemClock } from '@folsom/core';
import { createFloatingIps } from '@folsom/nova/floating-ip-blocks';
import {
  bindFloatingIp,
  floatingIpByAddress,
  giveBackFloatingIp,
  takeFloatingIp,
  unbindFloatingIp,
} from '@folsom/nova/floating-ips';
import { networkFault } from '@folsom/nova/network-faults';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootBody, DEMO, makeActive, startTestApi, type TestApi } from './test-api.ts';

describe('floating addresses', () => {
  let test: TestApi;
  let server: string;
  const FIXED = '10.0.0.2';
  const network = JSON.stringify([
    { network: { label: 'net', subnets: [{ ips: [{ address: FIXED, version: 4, floating_ips: [] }] }] } },
  ]);

  beforeAll(async () => {
    const now = () => systemClock.now();
    test = await startTestApi({
      answers: {
        // The network service in a few words, on the same tables.
        'network.allocate_floating_ip': (_context, args) =>
          takeFloatingIp(
            test.db,
            {
              projectId: String(args.project_id),
              pool: String(args.pool ?? 'nova'),
              autoAssigned: false,
            },
            now(),
          ),
        'network.deallocate_floating_ip': async (_context, args) => {
          const row = await floatingIpByAddress(test.db, String(args.address));
          await giveBackFloatingIp(test.db, row.id, now());
          return null;
        },
        'network.associate_floating_ip': async (context, args) => {
          const row = await floatingIpByAddress(test.db, String(args.floating_address));
          if (row.project_id !== context.projectId) throw networkFault('NotAuthorized');
          const fixed = (await test.db.knex('fixed_ips').where({ address: args.fixed_address }).first('id'))!;
          await bindFloatingIp(test.db, row.id, { fixedIpId: fixed.id, host: 'node1' }, now());
          return null;
        },
        'network.disassociate_floating_ip': async (_context, args) => {
          const row = await floatingIpByAddress(test.db, String(args.address));
          await unbindFloatingIp(test.db, row.id, row.fixed_ip_id!, now());
          return null;
        },
        'network.get_instance_nw_info': () => JSON.parse(network),
      },
    });
    const addresses = ['172.24.4.1', '172.24.4.2', '172.24.4.3'];
    await createFloatingIps(test.db, { addresses, pool: 'nova', interface: 'eth0' }, now());
    server = (await test.call('POST', 'servers', { body: bootBody() })).json.server.id;
    await makeActive(test, server);
    await test.db.knex('instance_info_caches').update({ network_info: network });
    await test.db.knex('fixed_ips').insert({ address: FIXED, instance_uuid: server, deleted: 0 });
  });
  afterAll(() => test.stop());

  const act = (body: unknown, options = {}) =>
    test.call('POST', `servers/${server}/action`, { body, ...options });

  it('are taken, lead to a server, and are given back', async () => {
    const pools = await test.call('GET', 'os-floating-ip-pools');
    expect(pools.json).toEqual({ floating_ip_pools: [{ name: 'nova' }] });
    const taken = await test.call('POST', 'os-floating-ips', { body: { pool: null } });
    expect(taken.json.floating_ip).toEqual({
      ...{ instance_id: null, ip: '172.24.4.1', fixed_ip: null, pool: 'nova' },
      id: expect.any(Number),
    });
    const { id, ip: address } = taken.json.floating_ip;
    expect((await act({ addFloatingIp: { address } })).status).toBe(202);
    const shown = await test.call('GET', `os-floating-ips/${id}`);
    expect(shown.json.floating_ip).toMatchObject({ instance_id: server, fixed_ip: FIXED });
    const listed = await test.call('GET', 'os-floating-ips');
    expect(listed.json.floating_ips).toEqual([shown.json.floating_ip]);
    expect((await act({ removeFloatingIp: { address } })).status).toBe(202);
    expect((await act({ removeFloatingIp: { address } })).status).toBe(404);
    await act({ addFloatingIp: { address } });
    expect((await test.call('DELETE', `os-floating-ips/${id}`)).status).toBe(202);
    expect((await test.call('GET', 'os-floating-ips')).json).toEqual({ floating_ips: [] });
    expect(await floatingIpByAddress(test.db, address)).toMatchObject({
      project_id: null,
      fixed_ip_id: null,
    });
  });

  it('belong to their tenant alone', async () => {
    const { id, ip: address } = (await test.call('POST', 'os-floating-ips')).json.floating_ip;
    for (const method of ['GET', 'DELETE']) {
      expect((await test.call(method, `os-floating-ips/${id}`, { token: 'other' })).status).toBe(404);
    }
    expect((await test.call('GET', 'os-floating-ips', { token: 'other' })).json.floating_ips).toEqual([]);
    await act({ addFloatingIp: { address } });
    await test.db.knex('floating_ips').where({ id }).update({ project_id: 'somebody' });
    expect((await act({ removeFloatingIp: { address } })).status).toBe(404);
    const refused = await act({ addFloatingIp: { address } });
    expect(refused.json.badRequest.message).toBe('Error. Unable to associate floating ip');
    await test.db.knex('floating_ips').where({ id }).update({ project_id: DEMO });
    expect((await test.call('DELETE', `os-floating-ips/${id}`)).status).toBe(202);
  });

  it('answer bad requests with what is wrong', async () => {
    const messages = [
      [{ addFloatingIp: {} }, 'Address not specified'],
      [{ addFloatingIp: null }, 'Missing parameter dict'],
      [{ removeFloatingIp: 5 }, 'Missing parameter dict'],
      [{ addFloatingIp: { address: '1.2.3.4' } }, 'Error. Unable to associate floating ip'],
    ] as const;
    for (const [body, message] of messages) {
      const answer = await act(body);
      expect([answer.status, answer.json.badRequest.message]).toEqual([400, message]);
    }
    expect((await act({ removeFloatingIp: { address: '1.2.3.4' } })).status).toBe(404);
    expect((await test.call('GET', 'os-floating-ips/x')).status).toBe(404);
    expect((await test.call('DELETE', 'os-floating-ips/99999')).status).toBe(404);
    expect((await test.call('POST', 'os-floating-ips', { body: { pool: 5 } })).status).toBe(400);
    const none = await test.call('POST', 'os-floating-ips', { body: { pool: 'zz' } });
    expect([none.status, none.json.itemNotFound.message]).toEqual([404, 'No more floating ips in pool zz.']);
  });
});
