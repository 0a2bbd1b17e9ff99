import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  eventually,
  type HostUnderTest,
  hostUnderTest,
  letSshInto,
  openSsh,
  sshTo,
  TEST_MS,
} from './host-under-test.ts';

/** More boots at once than there are addresses, all of real guests. */
export function manyGuests(boots: number, addresses: number): void {
  let host: HostUnderTest;
  let key: { file: string; text: string };

  beforeAll(async () => {
    host = await hostUnderTest(`mny${process.pid % 10000}`);
    await host.start({ extra: { force_dhcp_release: true } });
    await host.rpc('network', 'create_networks', { label: 'private', cidr: '10.77.0.0/28', bridge: 'br100' });
    const free = await host.db.knex('fixed_ips').where({ reserved: 0 }).orderBy('id').select('id');
    const surplus = free.slice(addresses).map(row => row.id);
    await host.db.knex('fixed_ips').whereIn('id', surplus).update({ reserved: 1 });
    key = await openSsh(host);
  }, TEST_MS);
  afterAll(async () => {
    await host?.remove();
  });

  it(`${boots} boots for ${addresses} addresses: as many run and answer ssh, the others say why not, nothing is left over`, async () => {
    const uuids = await Promise.all(
      Array.from({ length: boots }, () => host.boot('ami', { key_name: 'k', key_data: key.text })),
    );
    const all = () =>
      host.db.knex('instances').whereIn('uuid', uuids).select('uuid', 'vm_state', 'task_state');
    const rows = await eventually(all, list =>
      list.every(row => row.vm_state !== 'building' && row.task_state === null),
    );
    const running = rows.filter(row => row.vm_state === 'active').map(row => row.uuid as string);
    const refused = rows.filter(row => row.vm_state === 'error').map(row => row.uuid as string);
    expect([running.length, refused.length]).toEqual([addresses, boots - addresses]);
    const faults = await host.db.knex('instance_faults').whereIn('instance_uuid', refused).select('message');
    expect(new Set(faults.map(row => row.message))).toEqual(new Set(['NoMoreFixedIps']));
    expect(faults).toHaveLength(refused.length);
    for (const uuid of refused) expect(await host.traces(uuid)).toEqual([]);

    await letSshInto(host, running);
    const names = new Set<string>();
    for (const uuid of running) {
      const { address } = (await host.db.knex('fixed_ips').where({ instance_uuid: uuid }).first('address'))!;
      const said = await eventually(
        () => sshTo(host, key.file, address, 'hostname'),
        answer => answer.code === 0,
      );
      names.add(said.stdout.trim());
    }
    expect(names.size).toBe(addresses);

    await Promise.all(running.map(uuid => host.delete(uuid)));
    for (const uuid of running) expect(await host.traces(uuid)).toEqual([]);
    expect(await host.virsh('list', '--all', '--name')).toBe('');
    expect((await host.space.exec(['ip', '-br', 'link'])).stdout).not.toContain('vnet');

    // Their addresses are free at once, and DHCP gives them to others.
    expect(await host.db.knex('fixed_ips').whereNotNull('instance_uuid')).toEqual([]);
    const next = await host.boot('ami');
    await eventually(
      () => host.db.knex('fixed_ips').where({ instance_uuid: next }).first('leased'),
      row => row?.leased === 1,
    );
    await host.delete(next);
  });
}
