import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { flavorById, flavorWire } from '@folsom/nova/flavors';
import { SLOW } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addFlavor } from '../faults/compute-cloud.ts';
import {
  cannotRun,
  eventually,
  type HostUnderTest,
  letSshInto,
  openSsh,
  sshTo,
  TEST_MS,
} from './host-under-test.ts';
import { ONE, TWO, type TwoHosts, twoHosts } from './two-hosts.ts';

const active = (row: Record<string, unknown>) => row.vm_state === 'active' && row.task_state === null;
const resized = (row: Record<string, unknown>) => row.vm_state === 'resized' && row.task_state === null;

const slow = needs('FOLSOM_SLOW=1', SLOW);

/** Two hosts, their guests and their moves take minutes: `npm run test:slow`. */
describe.skipIf(!slow || cannotRun() !== undefined)('a guest between two hosts', { timeout: TEST_MS }, () => {
  let hosts: TwoHosts;
  let one: HostUnderTest;
  let two: HostUnderTest;
  let key: { file: string; text: string };
  let bigger: number;

  beforeAll(async () => {
    hosts = await twoHosts(`mv${process.pid % 10000}`, { live_migration_uri: 'qemu+tcp://%s/system' });
    ({ one, two } = hosts);
    await hosts.start();
    await one.rpc('network', 'create_networks', {
      label: 'private',
      cidr: '10.77.0.0/24',
      bridge: 'br100',
      bridge_interface: 'eth0',
      multi_host: true,
    });
    key = await openSsh(one);
    bigger = await addFlavor(one.db, { name: 'm1.more', memory_mb: 160 });
  }, TEST_MS);
  afterAll(async () => {
    await hosts?.remove();
  });

  /** Runs a command in the guest, from the host that serves it. */
  const inGuest = async (host: HostUnderTest, uuid: string, command: string): Promise<string> => {
    const { address } = (await host.db.knex('fixed_ips').where({ instance_uuid: uuid }).first('address'))!;
    const done = await eventually(
      () => sshTo(host, key.file, address, command),
      answer => answer.code === 0,
    );
    return done.stdout.trim();
  };
  const boot = async (): Promise<string> => {
    const uuid = await one.boot('ami', { key_name: 'k', key_data: key.text });
    await letSshInto(one, [uuid]);
    await one.state(uuid, active);
    return uuid;
  };
  const setTask = (uuid: string, task: string, vm?: string) =>
    one.db
      .knex('instances')
      .where({ uuid })
      .update({ task_state: task, ...(vm === undefined ? {} : { vm_state: vm }) });
  /** What the scheduler sends when it has chosen the second host. */
  const beginResize = async (uuid: string) => {
    await setTask(uuid, 'resize_prep');
    await two.rpc('compute', 'prep_resize', {
      instance: await one.instance(uuid),
      instance_type: flavorWire(await flavorById(one.db.knex, bigger)),
      image: await one.ask({ do: 'image', args: 'ami' }),
      reservations: null,
    });
  };
  const migration = async (uuid: string) => ({
    instance: await one.instance(uuid),
    migration_id: (await one.db
      .knex('migrations')
      .where({ instance_uuid: uuid })
      .orderBy('id', 'desc')
      .first('id'))!.id,
    reservations: null,
  });
  const nothing = async (uuid: string) =>
    eventually(
      async () => ({ one: await one.traces(uuid), two: await two.traces(uuid) }),
      left => left.one.length + left.two.length === 0,
    );
  const bases = (host: HostUnderTest): string =>
    readdirSync(join(host.space.dir, 'state', 'instances', '_base'))
      .sort()
      .map(name => `${name} ${digest(join(host.space.dir, 'state', 'instances', '_base', name))}`)
      .join('\n');
  const digest = (path: string) => createHash('md5').update(readFileSync(path)).digest('hex');
  const whole = ['domain', 'files', 'rules', 'address', 'card'];

  it('68: moves with a resize, comes back, moves for good, and moves back while it runs', async () => {
    const uuid = await boot();
    const name = await one.nameOf(uuid);
    await inGuest(one, uuid, 'echo mine > keep; sync');
    const base = bases(one);

    await beginResize(uuid);
    await one.state(uuid, resized);
    expect(await inGuest(two, uuid, 'cat keep')).toBe('mine');
    expect(await two.virsh('dominfo', name)).toMatch(/Max memory:\s+163840 KiB/);
    expect(await one.virsh('list', '--name')).toBe('');
    expect(await one.traces(uuid)).toContain('files aside');

    await setTask(uuid, 'resize_reverting');
    await two.rpc('compute', 'revert_resize', await migration(uuid));
    await one.state(uuid, row => active(row) && row.host === ONE);
    expect(await inGuest(one, uuid, 'cat keep')).toBe('mine');
    expect(await two.traces(uuid)).toEqual(['address', 'card']);
    expect(await one.traces(uuid)).toEqual(whole);

    await beginResize(uuid);
    await one.state(uuid, resized);
    await one.db.knex('instances').where({ uuid }).update({ vm_state: 'active' });
    await one.rpc('compute', 'confirm_resize', await migration(uuid));
    await eventually(
      () => one.traces(uuid),
      left => left.join() === 'address,card',
    );
    // No disk of a guest gets among the images, and the images stay as they were.
    expect(bases(one)).toBe(base);

    await inGuest(two, uuid, 'cat keep');
    const alive = await inGuest(two, uuid, 'cat /proc/sys/kernel/random/boot_id; echo more >> keep');
    await setTask(uuid, 'migrating');
    const instance = await two.instance(uuid);
    const request = { instance, block_migration: true, disk_over_commit: false };
    await one.rpc('compute', 'check_can_live_migrate_destination', request);
    await two.rpc('compute', 'live_migration', {
      instance,
      dest: ONE,
      block_migration: true,
      migrate_data: null,
    });
    await one.state(uuid, row => active(row) && row.host === ONE);
    expect(await inGuest(one, uuid, 'cat /proc/sys/kernel/random/boot_id')).toBe(alive);
    expect(await inGuest(one, uuid, 'cat keep')).toBe('mine\nmore');
    await eventually(
      () => two.traces(uuid),
      left => left.join() === 'address,card',
    );
    expect(await one.traces(uuid)).toEqual(whole);
    await one.delete(uuid);
    await nothing(uuid);
  });

  it('stays where it is when it cannot move while it runs', async () => {
    const uuid = await boot();
    const instance = await one.instance(uuid);
    const check = (block_migration: boolean) =>
      two
        .rpc('compute', 'check_can_live_migrate_destination', {
          instance,
          block_migration,
          disk_over_commit: false,
        })
        .catch(String);
    expect(await check(false)).toContain('InvalidSharedStorage');
    expect(await check(true)).toBeNull();
    // Nobody listens there any more.
    await two.space.exec(['iptables', '-I', 'INPUT', '-p', 'tcp', '--dport', '16509', '-j', 'REJECT']);
    await setTask(uuid, 'migrating');
    await one.rpc('compute', 'live_migration', {
      instance,
      dest: TWO,
      block_migration: true,
      migrate_data: null,
    });
    await one.state(uuid, active);
    await two.space.exec(['iptables', '-D', 'INPUT', '-p', 'tcp', '--dport', '16509', '-j', 'REJECT']);
    expect(await one.virsh('domstate', await one.nameOf(uuid))).toBe('running');
    await eventually(
      () => two.traces(uuid),
      left => left.join() === 'address,card',
    );
    await one.delete(uuid);
    await nothing(uuid);
  });

  it('76: CVE-2015-3241: a deletion at any step of a resize leaves nothing on either host', async () => {
    const steps: [string, HostUnderTest, HostUnderTest][] = [
      ['resize_send:migrate', one, one],
      ['resize_send:hand_over', one, one],
      ['resize_finish:start', two, two],
    ];
    for (const [step, at, deleteOn] of steps) {
      const uuid = await boot();
      const held = await at.holdAt(step);
      await beginResize(uuid);
      await held.reached;
      await setTask(uuid, 'deleting');
      await deleteOn.rpc('compute', 'terminate_instance', { instance: await one.instance(uuid) });
      await held.release();
      await one.state(uuid, row => row.deleted === 1);
      expect([step, await nothing(uuid)]).toEqual([step, { one: [], two: [] }]);
    }
    const uuid = await boot();
    await beginResize(uuid);
    await one.state(uuid, resized);
    const held = await two.holdAt('resize_revert:clear');
    await setTask(uuid, 'resize_reverting');
    await two.rpc('compute', 'revert_resize', await migration(uuid));
    await held.reached;
    await setTask(uuid, 'deleting');
    await two.rpc('compute', 'terminate_instance', { instance: await one.instance(uuid) });
    await held.release();
    await one.state(uuid, row => row.deleted === 1);
    expect(await nothing(uuid)).toEqual({ one: [], two: [] });
  });
});
