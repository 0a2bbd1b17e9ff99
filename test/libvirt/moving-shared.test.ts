import { existsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { SLOW } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mapVolume } from '../faults/compute-cloud.ts';
import { cannotRun, eventually, type HostUnderTest, TEST_MS } from './host-under-test.ts';
import { active } from './killed.ts';
import { type Moves, movesBetween } from './moves.ts';
import { cannotExport, exportedVolume, type IscsiTargets, iscsiTargets } from './targets.ts';
import { ONE, TWO, type TwoHosts, twoHosts } from './two-hosts.ts';

const resized = (row: Record<string, unknown>) => row.vm_state === 'resized' && row.task_state === null;
const BOOT = 'cat /proc/sys/kernel/random/boot_id';

/** Two hosts and a guest that moves six times: `npm run test:slow`. */
describe.skipIf(!needs('FOLSOM_SLOW=1', SLOW) || cannotRun() !== undefined || cannotExport() !== undefined)(
  'a guest between two hosts with one instances_path',
  { timeout: TEST_MS },
  () => {
    let hosts: TwoHosts;
    let one: HostUnderTest;
    let two: HostUnderTest;
    let moves: Moves;
    let targets: IscsiTargets;
    let uuid: string;
    let alive: string;

    beforeAll(async () => {
      const extra = {
        live_migration_uri: 'qemu+tcp://%s/system',
        // A folder of this machine stands for the storage: libvirt sees that it is none of a network.
        live_migration_flag: 'VIR_MIGRATE_UNDEFINE_SOURCE, VIR_MIGRATE_PEER2PEER, VIR_MIGRATE_UNSAFE',
      };
      hosts = await twoHosts(`ms${process.pid % 10000}`, extra, true);
      ({ one, two } = hosts);
      await hosts.start();
      moves = await movesBetween(hosts);
      targets = await iscsiTargets(one.space);
      const file = join(one.dir, 'volume');
      writeFileSync(file, '');
      truncateSync(file, 16 * 1024 ** 2);
      // The first host's nova-volume has it: the second is killed.
      const volume = await exportedVolume(one.db, targets, file, ONE);
      uuid = await moves.boot(instance => mapVolume(one.db, instance, volume));
      alive = await moves.inside(one, uuid, BOOT);
    }, TEST_MS);
    afterAll(async () => {
      targets?.stop();
      await hosts?.remove();
    });

    const folder = async () => join(one.dir, 'instances', await one.nameOf(uuid));
    const inode = async () => statSync(join(await folder(), 'disk')).ino;
    let serial = 0;
    /** It is the same, on its disk and on its volume, and both can be written to. */
    const itself = async (host: HostUnderTest): Promise<void> => {
      const former = serial++;
      const read = 'echo 3 > /proc/sys/vm/drop_caches; head -n 1 /root/kept /dev/vdb 2>/dev/null';
      if (former > 0) {
        const said = await moves.inside(host, uuid, read, 'root');
        expect(said.match(/number \d+/g)).toEqual([`number ${former}`, `number ${former}`]);
      }
      const write = `echo number ${serial} > /root/kept; echo number ${serial} > /dev/vdb; sync`;
      await moves.inside(host, uuid, write, 'root');
    };
    const leftTo = (host: HostUnderTest) =>
      eventually(
        () => host.traces(uuid),
        left => left.join() === 'files,address,card',
      );

    it('is asked for as what it is, moves while it runs and has its files where they were', async () => {
      await itself(one);
      const before = await inode();
      const request = { instance: await one.instance(uuid), disk_over_commit: false };
      const check = (block_migration: boolean) =>
        two.rpc('compute', 'check_can_live_migrate_destination', { ...request, block_migration });
      await expect(check(true)).rejects.toThrow('InvalidLocalStorage');
      await moves.beginLive(uuid, one, { host: two, name: TWO }, false);
      await one.state(uuid, row => active(row) && row.host === TWO);
      expect(await moves.inside(two, uuid, BOOT)).toBe(alive);
      await itself(two);
      await leftTo(one);
      expect(await inode()).toBe(before);
    });

    it('keeps its files when the host that it leaves dies on the way and comes back', async () => {
      const before = await inode();
      const held = await two.holdAt('live_migration:arrive');
      await moves.beginLive(uuid, two, { host: one, name: ONE }, false);
      await held.reached;
      await two.kill();
      await two.start();
      await one.state(uuid, row => active(row) && row.host === ONE);
      await leftTo(two);
      expect(await moves.inside(one, uuid, BOOT)).toBe(alive);
      expect(await inode()).toBe(before);
      await itself(one);
    });

    it('is resized to the other host and back, and stays there', async () => {
      await moves.beginResize(uuid, two);
      await one.state(uuid, resized);
      await itself(two);
      await moves.setTask(uuid, 'resize_reverting');
      await two.rpc('compute', 'revert_resize', await moves.migration(uuid));
      await one.state(uuid, row => active(row) && row.host === ONE);
      // What it wrote there went with the disk that it had there; the volume has it.
      const said = await moves.inside(one, uuid, 'head -n 1 /root/kept /dev/vdb', 'root');
      expect(said.match(/number \d+/g)).toEqual([`number ${serial - 1}`, `number ${serial}`]);
      await moves.inside(one, uuid, 'head -n 1 /dev/vdb > /root/kept; sync', 'root');
      await moves.beginResize(uuid, two);
      await one.state(uuid, resized);
      await one.db.knex('instances').where({ uuid }).update({ vm_state: 'active' });
      await one.rpc('compute', 'confirm_resize', await moves.migration(uuid));
      await leftTo(one);
      await eventually(
        async () => existsSync(`${await folder()}_resize`),
        there => !there,
      );
      await itself(two);
    });

    it('leaves nothing when it is deleted', async () => {
      await two.delete(uuid);
      await moves.nothing(uuid);
      expect(existsSync(await folder())).toBe(false);
      expect(await targets.connections()).toBe(0);
    });
  },
);
