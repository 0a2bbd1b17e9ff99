import { silentLogger, systemClock } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { run } from '@folsom/host';
import { canonicalRule } from '@folsom/host/iptables-compare';
import { namespaceRunner, type Runner } from '@folsom/host/runner';
import type { NetworkInfo } from '@folsom/nova/network-info';
import {
  associateGroup,
  createRule,
  createSecurityGroup,
  deleteRule,
  dissociateGroup,
} from '@folsom/nova/security-groups';
import { packetFilter } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FilteredGuest, type Firewall, firewall } from './firewall.ts';

const NAME = `fw-${process.pid}`;
const root = needs('root', process.getuid?.() === 0);
if (!root) console.warn('firewall: not root, the test with the kernel is left out');

const network = (address: string): NetworkInfo =>
  [
    {
      id: 'v',
      address: '02:16:3e:00:00:01',
      meta: {},
      network: {
        id: 'n',
        bridge: 'br100',
        label: 'private',
        meta: { tenant_id: null },
        subnets: [
          {
            cidr: '10.0.0.0/24',
            version: 4,
            dns: [],
            gateway: null,
            routes: [],
            meta: { dhcp_server: '10.0.0.1' },
            ips: [{ address, type: 'fixed', version: 4, meta: {}, floating_ips: [] }],
          },
          {
            cidr: 'fd00::/64',
            version: 6,
            dns: [],
            gateway: { address: 'fe80::1', type: 'gateway', version: 6, meta: {} },
            routes: [],
            meta: {},
            ips: [
              {
                address: `fd00::${address.split('.')[3]}`,
                type: 'fixed',
                version: 6,
                meta: {},
                floating_ips: [],
              },
            ],
          },
        ],
      },
    },
  ] as unknown as NetworkInfo;

/** Every kind of rule there is. */
const RULES = [
  { protocol: 'tcp', from_port: 22, to_port: 22, cidr: '0.0.0.0/0' },
  { protocol: 'tcp', from_port: 1, to_port: 65_535, cidr: '192.0.2.77/24' },
  { protocol: 'tcp', from_port: 0, to_port: 65_535, cidr: '192.0.2.0/24' },
  { protocol: 'udp', from_port: 53, to_port: 54, cidr: '198.51.100.0/24' },
  { protocol: 'icmp', from_port: -1, to_port: -1, cidr: '0.0.0.0/0' },
  { protocol: 'icmp', from_port: 8, to_port: -1, cidr: '192.0.2.1/32' },
  { protocol: 'icmp', from_port: 3, to_port: 1, cidr: '192.0.2.2/32' },
  { protocol: 'tcp', from_port: 22, to_port: 22, cidr: '::/0' },
  { protocol: 'udp', from_port: 53, to_port: 54, cidr: '2001:DB8:0::5/32' },
  { protocol: 'icmp', from_port: -1, to_port: -1, cidr: 'fd01::/64' },
  { protocol: 'icmp', from_port: 128, to_port: 0, cidr: 'fd02::1/128' },
] as const;

describe.each([
  ['remembered', true],
  ['of the kernel', root],
])('a packet filter %s', (kind, there) => {
  describe.skipIf(!there)('', () => {
    let db: Database;
    let runner: Runner;
    let walls: Firewall;
    let group: number;
    const guests: FilteredGuest[] = [1, 2].map(id => ({
      id,
      uuid: `u${id}`,
      network: network(`10.0.0.${id + 1}`),
    }));
    const now = systemClock.now();
    const compare = (settled = guests, others: FilteredGuest[] = []) => walls.compare({ settled, others });
    const byHand = async (...words: string[]) => {
      if (kind === 'remembered') {
        const line = words.join(' ');
        await runner(['iptables-restore'], { timeoutMs: 1, input: `*filter\n${line}\nCOMMIT\n` });
      } else await runner(['iptables', ...words], { timeoutMs: 30_000 });
    };

    beforeAll(async () => {
      if (kind === 'remembered') runner = packetFilter().runner;
      else {
        await run(['ip', 'netns', 'add', NAME], { timeoutMs: 30_000 });
        runner = namespaceRunner(NAME);
      }
      db = await openDatabase({ connection: 'sqlite://' });
      await dbSync(db, 'nova');
      for (const { id, uuid } of guests) {
        await db.knex('instances').insert({ id, uuid, vm_state: 'active', deleted: 0 });
        const address = `10.0.0.${id + 1}`;
        await db.knex('fixed_ips').insert({ address, instance_uuid: uuid, allocated: 1, deleted: 0 });
      }
      const made = { name: 'web', description: '', projectId: 'p', userId: 'u' };
      group = (await createSecurityGroup(db.knex, made, now)).id;
      for (const rule of RULES)
        await createRule(db.knex, { ...rule, parent_group_id: group, group_id: null }, now);
      // Members of the group reach each other.
      const members = { protocol: 'tcp', from_port: 80, to_port: 80, cidr: null };
      await createRule(db.knex, { ...members, parent_group_id: group, group_id: group }, now);
      for (const { uuid } of guests) await associateGroup(db.knex, uuid, group, now);
      walls = firewall({ db, runner, log: silentLogger, allowSameNetTraffic: true, ipv6: true });
      const refused = { protocol: 'tcp', from_port: 25, to_port: 25, cidr: 'fd03::/64', deleted: 0 };
      await db.knex('provider_fw_rules').insert(refused);
    });
    afterAll(async () => {
      await db.close();
      if (kind !== 'remembered') await run(['ip', 'netns', 'del', NAME], { timeoutMs: 30_000 });
    });

    it('is what the rows say after every change of a guest, and nothing is changed by looking', async () => {
      expect(await compare()).toContain('nova-compute-inst-1 is missing');
      expect(await compare()).toContain('IPv6: nova-compute-inst-1 is missing');
      await walls.adopt(guests);
      expect(await compare()).toEqual([]);
      await walls.remove(guests[1]!);
      expect(await compare([guests[0]!])).toEqual([]);
      expect(await compare()).toContain('nova-compute-inst-2 is missing');
      await walls.add(guests[1]!);
      expect(await compare()).toEqual([]);
      expect(await compare()).toEqual([]);
    });

    it('is not what the rows say while a rule or a member has changed', async () => {
      const rule = await createRule(
        db.knex,
        {
          protocol: 'tcp',
          from_port: 443,
          to_port: 443,
          cidr: '0.0.0.0/0',
          parent_group_id: group,
          group_id: null,
        },
        now,
      );
      const lacks = (id: number) => `nova-compute-inst-${id} lacks: --dport 443 -p tcp -j ACCEPT`;
      expect(await compare()).toEqual([lacks(1), lacks(2)]);
      await walls.refresh(null);
      expect(await compare()).toEqual([]);
      await deleteRule(db.knex, rule.id, now);
      await dissociateGroup(db.knex, 'u2', group, now);
      const open = await compare();
      expect(open).toContain('nova-compute-inst-1 has too much: --dport 443 -p tcp -j ACCEPT');
      expect(open).toContain('nova-compute-inst-2 has too much: --dport 22 -p tcp -j ACCEPT');
      await walls.repair({ settled: guests, others: [] });
      expect(await compare()).toEqual([]);
      await associateGroup(db.knex, 'u2', group, now);
      await walls.refresh(['u1', 'u2']);
      expect(await compare()).toEqual([]);
    });

    it('is put right where somebody has been at it', async () => {
      await byHand('-I', 'nova-compute-inst-1', '1', '-j', 'ACCEPT');
      await byHand('-F', 'nova-compute-sg-fallback');
      await byHand('-D', 'FORWARD', '-j', 'nova-filter-top');
      const found = await compare();
      expect(found).toContain('nova-compute-inst-1 has too much: -j ACCEPT');
      expect(found).toContain('nova-compute-sg-fallback lacks: -j DROP');
      expect(found).toContain('FORWARD lacks: -j nova-filter-top');
      await walls.repair({ settled: guests, others: [] });
      expect(await compare()).toEqual([]);
    });

    it('has the rules of IPv6 that Folsom makes of the same rows', async () => {
      const { stdout } = await runner(['ip6tables-save'], { timeoutMs: 30_000 });
      const chain = (name: string) =>
        stdout
          .split('\n')
          .flatMap(line =>
            line.startsWith(`-A ${name} `) ? [canonicalRule(line.slice(name.length + 4))] : [],
          );
      expect(chain('nova-compute-inst-1')).toEqual(
        [
          '-m state --state INVALID -j DROP',
          '-m state --state RELATED,ESTABLISHED -j ACCEPT',
          '-j nova-compute-provider',
          '-p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT',
          '-p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT',
          '-s fe80::1/128 -p ipv6-icmp -j ACCEPT',
          '-s fd00::/64 -j ACCEPT',
          '-p tcp -m tcp --dport 22 -j ACCEPT',
          '-s 2001:db8::/32 -p udp -m udp --dport 53:54 -j ACCEPT',
          '-s fd01::/64 -p ipv6-icmp -j ACCEPT',
          '-s fd02::1/128 -p ipv6-icmp -m icmp6 --icmpv6-type 128/0 -j ACCEPT',
          '-j nova-compute-sg-fallback',
        ].map(canonicalRule),
      );
      expect(chain('nova-compute-provider')).toEqual([
        canonicalRule('-s fd03::/64 -p tcp --dport 25 -j DROP'),
      ]);
      expect(chain('nova-compute-local')).toContain('-d fd00::2/128 -j nova-compute-inst-1');
    });

    it('may have chains of what is coming or going, and of nobody else', async () => {
      expect(await compare([guests[0]!], [guests[1]!])).toEqual([]);
      expect(await compare([guests[0]!])).toContain("nova-compute-inst-2 is nobody's");
      await walls.repair({ settled: [guests[0]!], others: [] });
      expect(await compare([guests[0]!])).toEqual([]);
    });
  });
});
