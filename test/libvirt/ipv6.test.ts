import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { globalV6, linkLocalV6 } from '@folsom/nova/ipv6';
import { SLOW } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cannotRun,
  eventually,
  type HostUnderTest,
  hostUnderTest,
  letSshInto,
  openSsh,
  sshTo,
  TEST_MS,
} from './host-under-test.ts';
import { inGuest } from './inside.ts';
import { active } from './killed.ts';

const BLOCK = 'fd00:77::/64';
/** Nobody's. */
const STOLEN = 'fd00:77::bad';
const OTHERS = 'q'.repeat(32);
const there =
  needs('FOLSOM_SLOW=1', SLOW) &&
  needs('radvd', existsSync('/usr/sbin/radvd')) &&
  needs('a kernel with IPv6', existsSync('/proc/sys/net/ipv6/conf'));

/** Two guests on emulated processors: `npm run test:slow`. */
describe.skipIf(!there || cannotRun() !== undefined)('guests with IPv6', { timeout: TEST_MS }, () => {
  let host: HostUnderTest;
  let key: { file: string; text: string };
  /** Of two tenants, on one bridge. */
  let mine: string;
  let theirs: string;
  const v6: Record<string, string> = {};
  const link: Record<string, string> = {};

  beforeAll(async () => {
    host = await hostUnderTest(`six${process.pid % 10000}`);
    await host.start({ extra: { use_ipv6: true, allow_same_net_traffic: false } });
    const network = { label: 'private', cidr: '10.77.0.0/24', cidr_v6: BLOCK, bridge: 'br100' };
    await host.rpc('network', 'create_networks', network);
    key = await openSsh(host);
    const keyed = { key_name: 'k', key_data: key.text };
    mine = await host.boot('ami', keyed);
    theirs = await host.boot('ami', { ...keyed, project_id: OTHERS });
    await host.db.knex('security_groups').insert({ id: 2, name: 'default', project_id: OTHERS, deleted: 0 });
    await rule({ parent_group_id: 2, protocol: 'tcp', from_port: 22, to_port: 22, cidr: '0.0.0.0/0' });
    await host.db
      .knex('security_group_instance_association')
      .insert({ security_group_id: 2, instance_uuid: theirs, deleted: 0 });
    await letSshInto(host, [mine]);
    await refresh(2);
    for (const uuid of [mine, theirs]) {
      await host.state(uuid, active);
      const card = must(
        await host.db.knex('virtual_interfaces').where({ instance_uuid: uuid }).first('address'),
        'it has a card',
      );
      v6[uuid] = globalV6('rfc2462', BLOCK, card.address, null);
      link[uuid] = linkLocalV6(card.address);
    }
  }, TEST_MS);
  afterAll(async () => {
    await host?.remove();
  });

  const rule = async (values: Record<string, unknown>) => {
    const [id] = await host.db.knex('security_group_rules').insert({ ...values, deleted: 0 });
    return id as number;
  };
  const refresh = (security_group_id: number) =>
    host.rpc('compute', 'refresh_security_group_rules', { security_group_id });
  const inside = (uuid: string, command: string) => inGuest(host, key, uuid, command, 'root');
  /** Whether an answer comes to one of several echo requests. */
  const reaches = async (from: string, address: string, ...words: string[]): Promise<boolean> =>
    (await inside(from, `ping6 -c 3 -W 2 ${words.join(' ')} ${address} >/dev/null; echo $?`)) === '0';
  const hostEnters = async (address: string): Promise<boolean> =>
    (await sshTo(host, key.file, `root@${address}`, 'true')).code === 0;

  it('give themselves the address that the cloud knows, and keep it', async () => {
    const addresses = (uuid: string) => inside(uuid, 'ip -6 -o addr show dev eth0 scope global');
    for (const uuid of [mine, theirs]) {
      await eventually(
        () => addresses(uuid),
        text => text.includes(`inet6 ${v6[uuid]}/64`) && !text.includes('tentative'),
      );
      expect(await inside(uuid, 'ip -6 route show default')).toContain('via fe80::');
      // A lease that is renewed leaves both addresses of IPv6 alone.
      await inside(uuid, 'kill -USR1 $(pidof udhcpc) && sleep 3');
      expect(await inside(uuid, 'ip -6 -o addr show dev eth0')).toMatch(
        new RegExp(`(?=[^]*${v6[uuid]}/64)(?=[^]*${link[uuid]}/64)`),
      );
      // The router is found, and its answers come in.
      expect(await reaches(uuid, 'fd00:77::')).toBe(true);
    }
  });

  it('are shut to the host and to another tenant until a rule of their group lets in whom it names', async () => {
    const own = must(v6[mine], 'it has one');
    expect(await hostEnters(own)).toBe(false);
    expect(await reaches(theirs, own)).toBe(false);

    const icmp = { parent_group_id: 1, protocol: 'icmp', from_port: -1, to_port: -1 };
    const neighbour = await rule({ ...icmp, cidr: `${v6[theirs]}/128` });
    await refresh(1);
    await eventually(
      () => reaches(theirs, own),
      answered => answered,
    );
    // It names the neighbour alone, and pings alone.
    expect(await hostEnters(own)).toBe(false);
    await host.db.knex('security_group_rules').where({ id: neighbour }).update({ deleted: 1 });
    await rule({ parent_group_id: 1, protocol: 'tcp', from_port: 22, to_port: 22, cidr: 'fd00:77::/128' });
    await refresh(1);
    const said = await eventually(
      () => sshTo(host, key.file, `root@${own}`, 'hostname'),
      ({ code }) => code === 0,
    );
    expect(said.stdout).toBe(`${await inside(mine, 'hostname')}\n`);
    expect(await reaches(theirs, own)).toBe(false);
    // Their own group says nothing of IPv6.
    expect(await hostEnters(must(v6[theirs], 'it has one'))).toBe(false);
  });

  it('speak with no address but their own, and are nobody’s router', async () => {
    const own = must(v6[mine], 'it has one');
    await rule({ parent_group_id: 1, protocol: 'icmp', from_port: -1, to_port: -1, cidr: BLOCK });
    await refresh(1);
    const itself = ['-I', must(v6[theirs], 'it has one')];
    await eventually(
      () => reaches(theirs, own, ...itself),
      answered => answered,
    );
    await inside(theirs, `ip -6 addr add ${STOLEN}/64 dev eth0; sleep 3`);
    expect(await reaches(theirs, own, '-I', STOLEN)).toBe(false);
    expect(await reaches(theirs, own, ...itself)).toBe(true);
    // The addresses of their link are for neighbours and the router alone: no group knows them.
    expect(await reaches(theirs, `${link[mine]}%eth0`)).toBe(false);
    expect((await host.space.exec(['ebtables', '-t', 'nat', '-L'])).stdout).toMatch(
      /--ip6-icmp-type (134|router-advertisement).* -j DROP/,
    );
  });

  it('leave nothing of it behind', async () => {
    const pid = async () =>
      (await host.space.exec(['cat', join(host.dir, 'networks', 'nova-ra-br100.pid')])).stdout.trim();
    const radvd = await pid();
    expect(existsSync(`/proc/${radvd}`)).toBe(true);
    await Promise.all([mine, theirs].map(uuid => host.delete(uuid)));
    const rules = async () => (await host.space.exec(['ip6tables-save'])).stdout;
    expect(await rules()).not.toContain('nova-compute-inst-');
    await host.ask({ do: 'unplug' });
    expect(await rules()).not.toContain('nova');
    await eventually(
      async () => existsSync(`/proc/${radvd}`),
      alive => !alive,
    );
  });
});
