import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '@folsom/core';
import type { ConnectionInfo, IscsiConnection } from '@folsom/nova/rpc/volume';
import { fakeClock, tempDir } from '@folsom/testing';
import { afterAll, describe, expect, it } from 'vitest';
import type { Guest, VolumeAttachment } from '../../../driver.ts';
import type { LibvirtConnection, Scope } from '../connection.ts';
import { type DomainDisk, diskXml, withSourceOf } from '../disk-xml.ts';
import { LibvirtError } from '../threads.ts';
import { hostVolumes, volumeTarget } from './host-volumes.ts';
import { hotPlug } from './hot-plug.ts';
import type { Initiator } from './initiator.ts';

const GUEST = { name: 'instance-00000001', vm_state: 'active' } as Guest;
const ID = '10000000-0000-4000-8000-000000000001';
const disk: DomainDisk = { source: '/volumes/a', kind: 'file', format: 'raw', target: 'vdb', serial: ID };
const dir = tempDir('folsom-volumes');
afterAll(() => dir.remove());

/** A libvirt with one domain; `lets go` after that many questions. */
function oneDomain(options: { running?: boolean; deaf?: number } = {}) {
  const disks: Record<Scope, string[]> = { live: [], config: [] };
  const calls: string[] = [];
  let asked = Number.POSITIVE_INFINITY;
  const libvirt = {
    isActive: async () => options.running ?? true,
    description: async (_name: string, scope: Scope) => {
      if (scope === 'live' && asked-- <= 0) disks.live = [];
      return `<domain>${disks[scope].join('')}</domain>`;
    },
    attach: async (_name: string, xml: string, scope: Scope) => {
      calls.push(`attach ${scope}`);
      disks[scope].push(xml);
    },
    detach: async (_name: string, xml: string, scope: Scope) => {
      calls.push(`detach ${scope}`);
      if (scope === 'config') disks.config = disks.config.filter(one => one !== xml);
      else if (asked === Number.POSITIVE_INFINITY) asked = options.deaf ?? 0;
      else throw new LibvirtError({ message: 'already in the process of unplug', code: 9 });
    },
  };
  return { libvirt: libvirt as unknown as LibvirtConnection, disks, calls };
}

describe('a disk that comes and goes', () => {
  const clock = fakeClock();
  const plugs = (libvirt: LibvirtConnection) => hotPlug({ libvirt, clock, log: silentLogger });
  const gone = { target: 'vdb', serial: ID };
  /** Time goes on while somebody waits. */
  const withTime = async (work: Promise<unknown>): Promise<unknown> => {
    let over = false;
    const done = work.finally(() => {
      over = true;
    });
    done.catch(() => {});
    for (let steps = 0; !over && steps < 1000; steps++) {
      await new Promise(resolve => setImmediate(resolve));
      await clock.advance(250);
    }
    return done;
  };

  it('is there now and at the next start, once', async () => {
    const { libvirt, calls } = oneDomain();
    await plugs(libvirt).plug(GUEST, disk);
    await plugs(libvirt).plug(GUEST, disk);
    expect(calls).toEqual(['attach live', 'attach config']);
    const still = oneDomain({ running: false });
    await plugs(still.libvirt).plug(GUEST, disk);
    expect(still.calls).toEqual(['attach config']);
  });

  it('82: CVE-2023-2088: never takes the place of another', async () => {
    const { libvirt } = oneDomain();
    await plugs(libvirt).plug(GUEST, { ...disk, serial: 'another' });
    await expect(plugs(libvirt).plug(GUEST, disk)).rejects.toMatchObject({ name: 'DeviceIsBusy' });
    await plugs(libvirt).unplug(GUEST, gone);
    await expect(plugs(libvirt).plug(GUEST, disk)).rejects.toMatchObject({ name: 'DeviceIsBusy' });
  });

  it('82: CVE-2023-2088: is gone only when the guest has let go of it', async () => {
    const { libvirt, disks } = oneDomain({ deaf: 30 });
    await plugs(libvirt).plug(GUEST, disk);
    await withTime(plugs(libvirt).unplug(GUEST, gone));
    expect(disks).toEqual({ live: [], config: [] });
    await plugs(libvirt).unplug(GUEST, gone);
  });

  it('stays where a guest does not let go, or sleeps', async () => {
    const { libvirt, disks } = oneDomain({ deaf: Number.MAX_SAFE_INTEGER });
    await plugs(libvirt).plug(GUEST, disk);
    await expect(withTime(plugs(libvirt).unplug(GUEST, gone))).rejects.toMatchObject({
      name: 'DeviceIsBusy',
    });
    expect([disks.live.length, disks.config.length]).toEqual([1, 1]);
    const asleep = { ...GUEST, vm_state: 'suspended' } as Guest;
    await expect(plugs(libvirt).unplug(asleep, gone)).rejects.toMatchObject({ name: 'DeviceIsBusy' });
  });
});

describe('how a host reaches a volume', () => {
  const iscsi: IscsiConnection = {
    driver_volume_type: 'iscsi',
    data: {
      volume_id: ID,
      target_discovered: false,
      target_iqn: 'iqn.2010-10.org.openstack:volume-1',
      target_portal: '10.0.0.9:3260',
      target_lun: 1,
      auth_method: 'CHAP',
      auth_username: 'reader',
      auth_password: 'do not tell',
    },
  };
  const volume = (connectionInfo: ConnectionInfo): VolumeAttachment => ({
    volumeId: ID,
    mountDevice: '/dev/vdb',
    connectionInfo,
    deleteOnTermination: false,
  });
  const host = (there: boolean) => {
    const secrets = new Map<string, string>();
    const logins: string[] = [];
    const libvirt = {
      defineSecret: async (xml: string, value: string) =>
        void secrets.set(/<uuid>(.*)<\/uuid>/.exec(xml)![1]!, value),
      undefineSecret: async (uuid: string) => void secrets.delete(uuid),
    } as unknown as LibvirtConnection;
    const initiator: Initiator = {
      there: async () => there,
      name: async () => (there ? 'iqn.of-the-host' : null),
      connect: async data => {
        logins.push(data.target_iqn);
        return '/dev/disk/by-path/x';
      },
      disconnect: async () => void logins.pop(),
    };
    const reach = hostVolumes({
      host: 'Node_1',
      ip: '10.0.0.1',
      prefix: 'vd',
      libvirt,
      initiator,
      domains: async () => [],
    });
    return { reach, secrets, logins };
  };

  it('is qemu where the kernel has no initiator; the password is in no description', async () => {
    const { reach, secrets } = host(false);
    const xml = diskXml(await reach.connect(volume(iscsi)));
    expect(xml).toContain("<source protocol='iscsi' name='iqn.2010-10.org.openstack:volume-1/1'>");
    expect(xml).toContain("<host name='10.0.0.9' port='3260'/>");
    expect(xml).toContain(`<auth username='reader'><secret type='iscsi' uuid='${ID}'/></auth>`);
    expect(xml).not.toContain('do not tell');
    expect([...secrets]).toEqual([[ID, 'do not tell']]);
    await reach.disconnect(volume(iscsi));
    expect(secrets.size).toBe(0);
    expect(await reach.connector()).toEqual({
      ip: '10.0.0.1',
      host: 'Node_1',
      initiator: 'iqn.2010-10.org.openstack:host.node-1',
    });
  });

  it('is the initiator of the host where there is one', async () => {
    const { reach, secrets, logins } = host(true);
    expect(await reach.connect(volume(iscsi))).toMatchObject({
      kind: 'block',
      source: '/dev/disk/by-path/x',
    });
    expect([logins.length, secrets.size]).toEqual([1, 0]);
    await reach.disconnect(volume(iscsi));
    expect(logins).toEqual([]);
    expect((await reach.connector()).initiator).toBe('iqn.of-the-host');
  });

  it('82: CVE-2023-2088: is its file; what is not there, or another volume, is refused', async () => {
    const { reach } = host(false);
    const device_path = join(dir.path, 'volume');
    const local = (more: object = {}): ConnectionInfo => ({
      driver_volume_type: 'local',
      data: { volume_id: ID, device_path, device_type: 'file', ...more },
    });
    await expect(reach.connect(volume(local()))).rejects.toMatchObject({ name: 'DiskNotFound' });
    writeFileSync(device_path, '');
    expect(await reach.connect(volume(local()))).toMatchObject({ kind: 'file', source: device_path });
    for (const [more, name] of [
      [{ device_path: 'volume' }, 'DiskNotFound'],
      [{ device_path: dir.path }, 'DiskNotFound'],
      [{ volume_id: 'another' }, 'WrongVolume'],
    ] as const)
      await expect(reach.connect(volume(local(more)))).rejects.toMatchObject({ name });
    const nowhere: ConnectionInfo = { driver_volume_type: 'fake', data: { volume_id: ID } };
    await expect(reach.connect(volume(nowhere))).rejects.toMatchObject({ name: 'VolumeDriverNotFound' });
  });

  it('has the place in the guest that its name says, with whatever prefix', () => {
    expect(['/dev/vdb', '/dev/sdc', 'xvdd1', 'vdaa'].map(name => volumeTarget(name, 'vd'))).toEqual([
      'vdb',
      'vdc',
      'vdd',
      'vdaa',
    ]);
    expect(volumeTarget('/dev/vdb', 'sd')).toBe('sdb');
    for (const bad of ['', '/dev/', '/dev/vdb/x', "vdb'/>", '/dev/fd0'])
      expect(() => volumeTarget(bad, 'vd')).toThrow('is invalid');
  });

  it('changes with the host of a guest that moves, and nothing else of the disk', () => {
    const here =
      "<disk type='file' device='disk'><driver name='qemu'/><source file='/a' index='1'/><target dev='vdb' bus='virtio'/><address slot='0x07'/></disk>";
    const there =
      "<disk type='network' device='disk'><source protocol='iscsi' name='i/1'><host name='h' port='1'/></source><target dev='vdb'/></disk>";
    expect(withSourceOf(here, there)).toBe(
      "<disk type='network' device='disk'><driver name='qemu'/><source protocol='iscsi' name='i/1'><host name='h' port='1'/></source><target dev='vdb' bus='virtio'/><address slot='0x07'/></disk>",
    );
    expect(withSourceOf(withSourceOf(here, there), here)).toBe(here);
  });
});
