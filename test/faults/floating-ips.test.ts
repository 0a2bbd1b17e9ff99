import { bootBody, DEMO, startTestApi, type TestApi } from '@folsom/compute-api/testing';
import { configFrom } from '@folsom/config';
import { adminContext, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { startNetwork } from '@folsom/network';
import { createFloatingIps } from '@folsom/nova/floating-ip-blocks';
import { saveNetworkInfo } from '@folsom/nova/instance-info-cache';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const world = { clock: systemClock, random: seededRandom(4), log: silentLogger };
const METHODS = [
  ...['get_floating_pools', 'get_floating_ip', 'get_floating_ip_by_address', 'get_floating_ips_by_project'],
  ...['allocate_floating_ip', 'deallocate_floating_ip', 'associate_floating_ip', 'disassociate_floating_ip'],
  ...['get_instance_id_by_floating_address', 'get_instance_nw_info', 'allocate_for_instance'],
];

describe('floating addresses through the API', () => {
  let test: TestApi;
  let stop: () => Promise<void>;
  let server: string;
  const bus = createLocalBus(world);
  const network = networkContract.client(bus);
  const call = (method: string, path: string, body?: unknown, more: Record<string, unknown> = {}) =>
    test.call(method, path, { ...(body === undefined ? {} : { body }), ...more });
  const action = (name: string, address: string) =>
    call('POST', `servers/${server}/action`, { [name]: { address } });

  beforeAll(async () => {
    // The real network service on the API's own database.
    const answers = Object.fromEntries(
      METHODS.map(method => [
        `network.${method}`,
        (context: never, args: never) =>
          (network as unknown as Record<string, (c: never, a: never) => Promise<unknown>>)[method]!(
            context,
            args,
          ),
      ]),
    );
    test = await startTestApi({ answers: answers as never });
    const config = configFrom([novaOptions], {
      DEFAULT: {
        host: 'node1',
        fake_network: true,
        network_manager: 'nova.network.manager.FlatDHCPManager',
        flat_network_bridge: 'br100',
        quota_floating_ips: 2,
      },
    });
    const service = await startNetwork({ config, db: test.db, bus, world });
    stop = () => service.stop();
    await network.create_networks(adminContext(), { label: 'private', cidr: '10.0.0.0/28' });
    const block = (addresses: string[], pool: string) =>
      createFloatingIps(test.db, { addresses, pool, interface: 'eth0' }, systemClock.now());
    await block(['172.24.4.225', '172.24.4.226', '172.24.4.227'], 'nova');
    await block(['172.24.5.1'], 'test');
    server = (await call('POST', 'servers', bootBody())).json.server.id;
    const row = (await test.db.knex('instances').where({ uuid: server }).first('id'))!;
    const info = await network.allocate_for_instance(adminContext(), {
      instance_id: row.id,
      instance_uuid: server,
      project_id: DEMO,
      host: 'node1',
      rxtx_factor: 1,
      requested_networks: null,
      vpn: false,
    });
    await saveNetworkInfo(test.db, server, info, systemClock.now());
    await test.db.knex('instances').where({ uuid: server }).update({ vm_state: 'active', task_state: null });
  });
  afterAll(async () => {
    await stop();
    await test.stop();
  });

  it('come from pools, within the quota', async () => {
    expect((await call('GET', 'os-floating-ip-pools')).json).toEqual({
      floating_ip_pools: [{ name: 'nova' }, { name: 'test' }],
    });
    expect((await call('GET', 'os-floating-ips')).json).toEqual({ floating_ips: [] });
    expect((await call('POST', 'os-floating-ips', { pool: null })).json).toEqual({
      floating_ip: { id: 1, ip: '172.24.4.225', pool: 'nova', fixed_ip: null, instance_id: null },
    });
    expect((await call('POST', 'os-floating-ips', { pool: 'zz' })).text).toContain(
      'No more floating ips in pool zz.',
    );
    expect((await call('POST', 'os-floating-ips', { pool: 'test' })).json.floating_ip.ip).toBe('172.24.5.1');
    const over = await call('POST', 'os-floating-ips');
    expect([over.status, over.json]).toMatchObject([413, { overLimit: { code: 413 } }]);
    const xml = await call('GET', 'os-floating-ips/1', undefined, { headers: { accept: 'application/xml' } });
    expect(xml.text).toContain('<floating_ip ');
    expect(xml.text).toContain('instance_id="None"');
  });

  it('lead to a server, which shows them, and away again', async () => {
    const shown = async () =>
      (await call('GET', `servers/${server}`)).json.server.addresses.private.map(
        (entry: { addr: string }) => entry.addr,
      );
    const before = await shown();
    expect((await action('addFloatingIp', '1.2.3.4')).json).toEqual({
      badRequest: { message: 'Error. Unable to associate floating ip', code: 400 },
    });
    expect((await call('POST', `servers/${server}/action`, { addFloatingIp: {} })).json).toEqual({
      badRequest: { message: 'Address not specified', code: 400 },
    });
    expect((await action('addFloatingIp', '172.24.4.225')).status).toBe(202);
    expect(await shown()).toEqual([...before, '172.24.4.225']);
    expect((await call('GET', 'os-floating-ips/1')).json.floating_ip).toMatchObject({
      instance_id: server,
      fixed_ip: before[0],
    });
    expect((await action('removeFloatingIp', '172.24.5.1')).status).toBe(404);
    expect((await action('removeFloatingIp', '172.24.4.225')).status).toBe(202);
    expect((await action('removeFloatingIp', '172.24.4.225')).status).toBe(404);
    expect(await shown()).toEqual(before);
    // Given back while it leads somewhere: it is taken away first.
    await action('addFloatingIp', '172.24.4.225');
    expect((await call('DELETE', 'os-floating-ips/1')).status).toBe(202);
    expect(await shown()).toEqual(before);
    expect((await call('DELETE', 'os-floating-ips/99999')).status).toBe(404);
    expect((await call('GET', 'os-floating-ips/x')).status).toBe(404);
  });

  it('are out of the reach of other tenants', async () => {
    const { id, ip } = (await call('POST', 'os-floating-ips')).json.floating_ip;
    const other = { token: 'other' };
    expect((await call('GET', `os-floating-ips/${id}`, undefined, other)).status).toBe(404);
    expect((await call('DELETE', `os-floating-ips/${id}`, undefined, other)).status).toBe(404);
    expect((await call('GET', `os-floating-ips/${id}`)).json.floating_ip.ip).toBe(ip);
  });
});
