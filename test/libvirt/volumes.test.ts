import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { SLOW } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addVolume, mapVolume, reserveFor } from '../faults/compute-cloud.ts';
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
import { active } from './killed.ts';
import { cannotExport, type IscsiTargets, iscsiTargets } from './targets.ts';

const MEGABYTE = 1024 ** 2;

/** Two guests one after the other, on emulated processors: `npm run test:slow`. */
describe.skipIf(!needs('FOLSOM_SLOW=1', SLOW) || cannotRun() !== undefined || cannotExport() !== undefined)(
  'volumes of real guests',
  { timeout: TEST_MS },
  () => {
    let host: HostUnderTest;
    let targets: IscsiTargets;
    let key: { file: string; text: string };

    beforeAll(async () => {
      host = await hostUnderTest(`vol${process.pid % 10000}`);
      await host.start();
      await host.rpc('network', 'create_networks', {
        label: 'private',
        cidr: '10.77.0.0/24',
        bridge: 'br100',
      });
      key = await openSsh(host);
      targets = await iscsiTargets(host.space);
    }, TEST_MS);
    afterAll(async () => {
      targets?.stop();
      await host?.remove();
    });

    const file = (name: string) => join(host.dir, name);
    /** A volume whose bytes are in a file, and how its host reaches it. */
    const volumeOn = async (info: (volume_id: string) => unknown): Promise<string> => {
      const id = await addVolume(host.db);
      const provider_location = JSON.stringify(info(id));
      await host.db.knex('volumes').where({ id }).update({ provider_location });
      return id;
    };
    const local = (path: string) => (volume_id: string) => ({
      driver_volume_type: 'local',
      data: { volume_id, device_path: path, device_type: 'file' },
    });
    const empty = (name: string): string => {
      writeFileSync(file(name), '');
      truncateSync(file(name), 16 * MEGABYTE);
      return file(name);
    };
    const volume = async (id: string) => (await host.db.knex('volumes').where({ id }).first())!;
    const becomes = (id: string, status: string) =>
      eventually(
        () => volume(id),
        row => row.status === status,
      );
    const attach = async (uuid: string, id: string, device: string): Promise<void> => {
      await reserveFor(host.db, uuid, id, device);
      const order = { volume_id: id, mountpoint: device };
      await host.rpc('compute', 'attach_volume', { instance: await host.instance(uuid), ...order });
    };
    const detach = async (uuid: string, id: string): Promise<void> => {
      await host.db.knex('volumes').where({ id }).update({ status: 'detaching' });
      await host.rpc('compute', 'detach_volume', { instance: await host.instance(uuid), volume_id: id });
      await becomes(id, 'available');
    };
    const boot = async (volumes: (uuid: string) => Promise<void>): Promise<string> => {
      const uuid = await host.boot('ami', { key_name: 'k', key_data: key.text }, {}, volumes);
      await letSshInto(host, [uuid]);
      await host.state(uuid, active);
      return uuid;
    };
    /** As root, as soon as the guest answers. */
    const inside = async (uuid: string, command: string): Promise<string> => {
      const { address } = (await host.db.knex('fixed_ips').where({ instance_uuid: uuid }).first('address'))!;
      const answer = await eventually(
        () => sshTo(host, key.file, `root@${address}`, command),
        ({ code }) => code === 0,
      );
      return answer.stdout.trim();
    };
    /** A disk that is plugged shows a moment later. */
    const sees = (uuid: string, ...disks: string[]) =>
      eventually(
        () => inside(uuid, "sed -n 's/.*\\(vd[a-z]*\\)$/\\1/p' /proc/partitions"),
        text => text === disks.join('\n'),
      );

    it('keep what one guest wrote for the next, over iSCSI too, and whoever is killed meanwhile', async () => {
      const first = await volumeOn(local(empty('first')));
      const root = await volumeOn(local(file('root')));
      const image = process.env.FOLSOM_GUEST_IMAGE ?? '/var/cache/folsom/guest-image';
      copyFileSync(join(image, 'rootfs.ext4'), file('root'));
      const target = await targets.export(empty('second'));
      const second = await volumeOn(volume_id => ({
        driver_volume_type: 'iscsi',
        data: { volume_id, ...target },
      }));

      const one = await boot(async () => {});
      await attach(one, first, '/dev/vdb');
      await becomes(first, 'in-use');
      await sees(one, 'vda', 'vdb');
      await inside(one, 'echo written here > /dev/vdb; sync');

      // Killed when the guest has it and nobody knows yet.
      const { reached } = await host.holdEach(['attach_volume:record']);
      await attach(one, second, '/dev/vdc');
      await reached;
      await host.kill();
      await host.start();
      await becomes(second, 'in-use');
      await sees(one, 'vda', 'vdb', 'vdc');
      expect(await targets.connections()).toBe(1);
      await inside(one, 'echo sent over the network > /dev/vdc; sync');

      await detach(one, first);
      await detach(one, second);
      await sees(one, 'vda');
      expect(await targets.connections()).toBe(0);
      expect(await host.virsh('secret-list')).toBe('');
      expect(readFileSync(file('second')).subarray(0, 21).toString()).toBe('sent over the network');

      // The next one's first disk is a volume, and what was written is its second.
      const two = await boot(async uuid => {
        await mapVolume(host.db, uuid, root, { device_name: 'vda', delete_on_termination: 1 });
        await mapVolume(host.db, uuid, first);
      });
      const name = await host.nameOf(two);
      expect(await host.virsh('domblklist', name)).toMatch(/vda\s+\S+\/root\n.*vdb\s+\S+\/first/);
      expect(await inside(two, 'head -n 1 /dev/vdb')).toBe('written here');
      await host.delete(two);
      expect(await volume(first)).toMatchObject({ status: 'available', instance_uuid: null });
      await eventually(
        () => volume(root),
        row => Boolean(row.deleted),
      );
      await host.delete(one);
      expect(await host.virsh('list', '--all', '--name')).toBe('');
    });
  },
);
