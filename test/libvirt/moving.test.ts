import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { SLOW } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mapVolume } from '../faults/compute-cloud.ts';
import { cannotRun, eventually, type HostUnderTest, TEST_MS } from './host-under-test.ts';
import { active } from './killed.ts';
import { type Moves, movesBetween } from './moves.ts';
import { cannotExport, exportedVolume, iscsiTargets } from './targets.ts';
import { ONE, TWO, type TwoHosts, twoHosts } from './two-hosts.ts';

const resized = (row: Record<string, unknown>) => row.vm_state === 'resized' && row.task_state === null;

const slow = needs('FOLSOM_SLOW=1', SLOW);

/** Two hosts, their guests and their moves take minutes: `npm run test:slow`. */
describe.skipIf(!slow || cannotRun() !== undefined)('a guest between two hosts', { timeout: TEST_MS }, () => {
  let hosts: TwoHosts;
  let one: HostUnderTest;
  let two: HostUnderTest;
  let moves: Moves;

  beforeAll(async () => {
    hosts = await twoHosts(`mv${process.pid % 10000}`, { live_migration_uri: 'qemu+tcp://%s/system' });
    ({ one, two } = hosts);
    await hosts.start();
    moves = await movesBetween(hosts);
  }, TEST_MS);
  afterAll(async () => {
    await hosts?.remove();
  });

  const bases = (host: HostUnderTest): string =>
    readdirSync(join(host.space.dir, 'state', 'instances', '_base'))
      .sort()
      .map(name => `${name} ${digest(join(host.space.dir, 'state', 'instances', '_base', name))}`)
      .join('\n');
  const digest = (path: string) => createHash('md5').update(readFileSync(path)).digest('hex');
  const whole = ['domain', 'files', 'rules', 'address', 'card'];

  it('68: moves with a resize, comes back, moves for good, and moves back while it runs', async () => {
    const uuid = await moves.boot();
    const name = await one.nameOf(uuid);
    await moves.inside(one, uuid, 'echo mine > keep; sync');
    const base = bases(one);

    await moves.beginResize(uuid, two);
    await one.state(uuid, resized);
    expect(await moves.inside(two, uuid, 'cat keep')).toBe('mine');
    expect(await two.virsh('dominfo', name)).toMatch(/Max memory:\s+163840 KiB/);
    expect(await one.virsh('list', '--name')).toBe('');
    expect(await one.traces(uuid)).toContain('files aside');

    await moves.setTask(uuid, 'resize_reverting');
    await two.rpc('compute', 'revert_resize', await moves.migration(uuid));
    await one.state(uuid, row => active(row) && row.host === ONE);
    expect(await moves.inside(one, uuid, 'cat keep')).toBe('mine');
    expect(await two.traces(uuid)).toEqual(['address', 'card']);
    expect(await one.traces(uuid)).toEqual(whole);

    await moves.beginResize(uuid, two);
    await one.state(uuid, resized);
    await one.db.knex('instances').where({ uuid }).update({ vm_state: 'active' });
    await one.rpc('compute', 'confirm_resize', await moves.migration(uuid));
    await eventually(
      () => one.traces(uuid),
      left => left.join() === 'address,card',
    );
    // No disk of a guest gets among the images, and the images stay as they were.
    expect(bases(one)).toBe(base);

    await moves.inside(two, uuid, 'cat keep');
    const alive = await moves.inside(two, uuid, 'cat /proc/sys/kernel/random/boot_id; echo more >> keep');
    await moves.beginLive(uuid, two, { host: one, name: ONE }, true);
    await one.state(uuid, row => active(row) && row.host === ONE);
    expect(await moves.inside(one, uuid, 'cat /proc/sys/kernel/random/boot_id')).toBe(alive);
    expect(await moves.inside(one, uuid, 'cat keep')).toBe('mine\nmore');
    await eventually(
      () => two.traces(uuid),
      left => left.join() === 'address,card',
    );
    expect(await one.traces(uuid)).toEqual(whole);
    await one.delete(uuid);
    await moves.nothing(uuid);
  });

  it.skipIf(cannotExport() !== undefined)(
    'has its volume with it wherever it is, which is never copied',
    async () => {
      const targets = await iscsiTargets(one.space);
      try {
        const file = join(one.dir, 'volume');
        writeFileSync(file, '');
        truncateSync(file, 16 * 1024 ** 2);
        const volume = await exportedVolume(one.db, targets, file, ONE);
        const uuid = await moves.boot(instance => mapVolume(one.db, instance, volume));
        const head = 'head -n 1 /dev/vdb';
        await moves.inside(one, uuid, 'echo of one > /dev/vdb; sync', 'root');

        await moves.beginResize(uuid, two);
        await one.state(uuid, resized);
        expect(await moves.inside(two, uuid, head, 'root')).toBe('of one');
        expect(await targets.connections()).toBe(1);
        await one.db.knex('instances').where({ uuid }).update({ vm_state: 'active' });
        await one.rpc('compute', 'confirm_resize', await moves.migration(uuid));
        await eventually(
          () => one.traces(uuid),
          left => left.join() === 'address,card',
        );
        await moves.inside(two, uuid, 'echo of two > /dev/vdb; sync', 'root');
        const alive = await moves.inside(two, uuid, 'cat /proc/sys/kernel/random/boot_id');

        await moves.beginLive(uuid, two, { host: one, name: ONE }, true);
        await one.state(uuid, row => active(row) && row.host === ONE);
        expect(await moves.inside(one, uuid, 'cat /proc/sys/kernel/random/boot_id')).toBe(alive);
        expect(await moves.inside(one, uuid, head, 'root')).toBe('of two');
        await moves.inside(one, uuid, 'echo back > /dev/vdb; sync', 'root');
        expect(readFileSync(file).subarray(0, 5).toString()).toBe('back\n');
        await one.delete(uuid);
        await moves.nothing(uuid);
        expect(await targets.connections()).toBe(0);
        expect(await one.db.knex('volumes').where({ id: volume }).first()).toMatchObject({
          status: 'available',
          instance_uuid: null,
        });
        expect((await two.virsh('secret-list')) + (await one.virsh('secret-list'))).toBe('');
      } finally {
        targets.stop();
      }
    },
  );

  it('stays where it is when it cannot move while it runs', async () => {
    const uuid = await moves.boot();
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
    await moves.setTask(uuid, 'migrating');
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
    await moves.nothing(uuid);
  });

  it('76: CVE-2015-3241: a deletion at any step of a resize leaves nothing on either host', async () => {
    const steps: [string, HostUnderTest, HostUnderTest][] = [
      ['resize_send:migrate', one, one],
      ['resize_send:hand_over', one, one],
      ['resize_finish:start', two, two],
    ];
    for (const [step, at, deleteOn] of steps) {
      const uuid = await moves.boot();
      const held = await at.holdAt(step);
      await moves.beginResize(uuid, two);
      await held.reached;
      await moves.setTask(uuid, 'deleting');
      await deleteOn.rpc('compute', 'terminate_instance', { instance: await one.instance(uuid) });
      await held.release();
      await one.state(uuid, row => row.deleted === 1);
      expect([step, await moves.nothing(uuid)]).toEqual([step, { one: [], two: [] }]);
    }
    const uuid = await moves.boot();
    await moves.beginResize(uuid, two);
    await one.state(uuid, resized);
    const held = await two.holdAt('resize_revert:clear');
    await moves.setTask(uuid, 'resize_reverting');
    await two.rpc('compute', 'revert_resize', await moves.migration(uuid));
    await held.reached;
    await moves.setTask(uuid, 'deleting');
    await two.rpc('compute', 'terminate_instance', { instance: await one.instance(uuid) });
    await held.release();
    await one.state(uuid, row => row.deleted === 1);
    expect(await moves.nothing(uuid)).toEqual({ one: [], two: [] });
  });
});
