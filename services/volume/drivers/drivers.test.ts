import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { needs } from '@folsom/core/testing';
import { HOST_ENV } from '@folsom/host';
import { startBackground } from '@folsom/host/background';
import { hostRunner, type Runner } from '@folsom/host/runner';
import { eventually, freePort, type TempDir, tempDir } from '@folsom/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Disk, GIB, type VolumeDriver } from '../driver.ts';
import { fakeDriver } from './fake.ts';
import { fileDriver } from './file.ts';
import { lvmDriver } from './lvm.ts';
import { type SimulatedHost, simulatedHost } from './simulated-host.ts';
import { tgtTargets } from './tgt.ts';

/** What every driver does alike; each function is called twice where that must not matter. */
const DRIVERS = ['fake', 'file', 'file over tgt', 'LVM over tgt'] as const;
const HERE = { ip: '10.0.0.1', initiator: 'iqn.1993-08.org.debian:01:a', host: 'node1' };
const THERE = { ...HERE, ip: '10.0.0.2', host: 'node2' };

const disk = (id: string, more: Partial<Disk> = {}): Disk => ({
  id,
  name: `volume-${id}`,
  size: 1,
  provider_location: null,
  provider_auth: null,
  ...more,
});
const snapshot = (id: string, of: Disk) => ({ id, name: `snapshot-${id}`, volumeName: of.name, size: 1 });

let dir: TempDir;
let host: SimulatedHost;
beforeEach(() => {
  dir = tempDir('volume-drivers');
  host = simulatedHost('nova-volumes');
});
afterEach(() => dir.remove());

const targets = () =>
  tgtTargets({
    prefix: 'iqn.2010-10.org.openstack:',
    ip: '10.0.0.1',
    port: 3260,
    directory: join(dir.path, 'targets'),
    runner: host.runner,
  });
const lvm = (deviceMapper = true) =>
  lvmDriver({
    group: 'nova-volumes',
    tries: 1,
    runner: host.runner,
    clock: { sleep: async () => {} } as never,
    targets: targets(),
    deviceMapper: async () => deviceMapper,
  });
const file = (exported: boolean) =>
  fileDriver({
    directory: join(dir.path, 'files'),
    host: 'node1',
    runner: hostRunner,
    targets: exported ? targets() : undefined,
  });
const make: Record<(typeof DRIVERS)[number], () => VolumeDriver> = {
  fake: fakeDriver,
  file: () => file(false),
  'file over tgt': () => file(true),
  'LVM over tgt': lvm,
};

describe.each(DRIVERS)('the driver "%s"', kind => {
  let driver: VolumeDriver;
  const hasBytes = needs('a driver that keeps bytes, which simulated LVM does not', kind !== 'LVM over tgt');
  const head = async (of: Disk, length: number): Promise<string> => {
    const stream = await driver.read(of);
    for await (const chunk of stream) return (chunk as Buffer).toString('latin1', 0, length);
    return '';
  };
  const write = (to: Disk, text: string) => driver.write(to, Readable.from([Buffer.from(text)]));

  beforeEach(async () => {
    driver = make[kind]();
    await driver.init();
  });

  it('makes, exports and takes away volumes, however often it is asked', async () => {
    const a = disk('a');
    await driver.create(a);
    await driver.create(a);
    const facts = await driver.ensureExport(a);
    expect(await driver.ensureExport(a)).toEqual(facts);
    await driver.checkExport({ ...a, ...facts });
    await driver.removeExport(a);
    await driver.removeExport(a);
    await driver.delete(a);
    await driver.delete(a);
    await expect(driver.checkExport(a)).rejects.toMatchObject({ name: 'ISCSITargetNotFoundForVolume' });
  });

  it('makes snapshots, and volumes of them', async () => {
    const a = disk('a');
    const b = disk('b', { size: 2 });
    const s = snapshot('s', a);
    await driver.create(a);
    if (hasBytes) await write(a, 'before');
    await driver.createSnapshot(s);
    await driver.createSnapshot(s);
    if (hasBytes) await write(a, 'after!');
    await driver.copySnapshot(b, s);
    if (hasBytes) expect([await head(a, 6), await head(b, 6)]).toEqual(['after!', 'before']);
    await driver.deleteSnapshot(s);
    await driver.deleteSnapshot(s);
    await driver.delete(a);
    if (hasBytes) expect(await head(b, 6)).toBe('before');
    await driver.delete(b);
    expect(host.volumes.size).toBe(0);
  });

  it.runIf(hasBytes)('54: CVE-2012-5625: hands out nothing that another volume held', async () => {
    const a = disk('a');
    await driver.create(a);
    await write(a, 'secret');
    await driver.delete(a);
    await driver.create(a);
    expect(await head(a, 6)).toMatch(/^\0*$/);
  });

  it('sweeps away what a crash left', async () => {
    const [a, b] = [disk('a'), disk('b')];
    for (const one of [a, b]) {
      await driver.create(one);
      await driver.ensureExport(one);
    }
    const removed = await driver.sweep([a]);
    expect(removed).toHaveLength(kind === 'file' ? 0 : 1);
    await driver.checkExport(a);
    expect(await driver.sweep([a])).toEqual([]);
  });
});

describe('files', () => {
  it('are opened by who is on the host, and need an export for others', async () => {
    const driver = file(false);
    await driver.init();
    const a = disk('a');
    await driver.create(a);
    const path = join(dir.path, 'files', 'volume-a');
    expect(await driver.connect(a, HERE)).toEqual({
      driver_volume_type: 'local',
      data: { volume_id: 'a', device_path: path, device_type: 'file' },
    });
    expect(statSync(path)).toMatchObject({ size: GIB, mode: 0o100600 });
    expect(statSync(path).blocks).toBeLessThan(100);
    await expect(driver.connect(a, THERE)).rejects.toMatchObject({ name: 'VolumeBackendAPIException' });
    const over = file(true);
    await over.init();
    const login = { ...a, provider_auth: 'CHAP user pass' };
    expect(await over.connect({ ...login, ...(await over.ensureExport(login)) }, THERE)).toEqual({
      driver_volume_type: 'iscsi',
      data: {
        volume_id: 'a',
        target_discovered: false,
        target_portal: '10.0.0.1:3260',
        target_iqn: 'iqn.2010-10.org.openstack:volume-a',
        target_lun: 1,
        auth_method: 'CHAP',
        auth_username: 'user',
        auth_password: 'pass',
      },
    });
  });

  it('refuse an image that is larger than the volume', async () => {
    const driver = file(false);
    await driver.init();
    const a = disk('a', { size: 0 });
    await driver.create(a);
    await expect(driver.write(a, Readable.from([Buffer.from('x')]))).rejects.toMatchObject({
      name: 'InvalidVolume',
    });
  });
});

describe('LVM', () => {
  it("54: CVE-2012-5625, CVE-2013-4183: gives Folsom's commands, and wipes volumes and snapshots before they go", async () => {
    const driver = lvm();
    await driver.init();
    const a = disk('a-b');
    const s = snapshot('s', a);
    await driver.create(a);
    await driver.createSnapshot(s);
    await expect(driver.delete(a)).rejects.toMatchObject({ name: 'VolumeIsBusy' });
    await driver.deleteSnapshot(s);
    await driver.delete(a);
    const kept = host.commands.filter(line => !/^(lvdisplay|tgt-admin|vgs)|count=0/.test(line));
    expect(kept).toEqual([
      'lvcreate -L 1G -n volume-a-b nova-volumes',
      'lvcreate -L 1G --name _snapshot-s --snapshot nova-volumes/volume-a-b',
      'dd if=/dev/zero of=/dev/mapper/nova--volumes-_snapshot--s count=1024 bs=1M iflag=direct oflag=direct conv=fsync',
      'lvremove -f nova-volumes/_snapshot-s',
      'dd if=/dev/zero of=/dev/mapper/nova--volumes-volume--a--b count=1024 bs=1M iflag=direct oflag=direct conv=fsync',
      'lvremove -f nova-volumes/volume-a-b',
    ]);
  });

  it('says why it cannot work', async () => {
    const none = lvmDriver({
      group: 'others',
      tries: 1,
      runner: host.runner,
      clock: {} as never,
      targets: targets(),
      deviceMapper: async () => true,
    });
    await expect(none.init()).rejects.toThrow("volume group others doesn't exist");
    // Without a word to LVM, which would find its group.
    host.commands.length = 0;
    await expect(lvm(false).init()).rejects.toThrow('its kernel has no device-mapper');
    expect(host.commands).toEqual([]);
  });
});

/** tgtd beside whatever else runs on this host, for tests. */
async function realTgt(folder: string): Promise<{ port: number; runner: Runner; stop(): Promise<void> }> {
  const port = await freePort();
  const env = { ...HOST_ENV, TGT_IPC_SOCKET: join(folder, 'tgt') };
  const daemon = await startBackground(['tgtd', '-f', '--iscsi', `portal=127.0.0.1:${port}`], {
    env,
    dieWithParent: true,
    logFile: join(folder, 'tgtd.log'),
  });
  const runner: Runner = Object.assign(
    (argv: readonly string[], options: Parameters<Runner>[1]) => hostRunner(argv, { ...options, env }),
    { prefix: [] as readonly string[] },
  );
  const show = () =>
    runner(['tgt-admin', '--show'], { timeoutMs: 5_000 }).then(
      ({ code }) => code,
      () => -1,
    );
  await eventually(show).toBe(0);
  return { port, runner, stop: () => daemon.stop(2_000) };
}

const canServe = needs('root and tgt', process.getuid?.() === 0 && existsSync('/usr/sbin/tgtd'));
describe.skipIf(!canServe)('tgt itself', () => {
  it('serves a disk, asks for its password, and has nothing left afterwards', {
    timeout: 60_000,
  }, async () => {
    const tgt = await realTgt(dir.path);
    try {
      const served = tgtTargets({
        prefix: 'iqn.2010-10.org.openstack:',
        ip: '127.0.0.1',
        port: tgt.port,
        directory: join(dir.path, 'targets'),
        runner: tgt.runner,
      });
      await served.init();
      const driver = fileDriver({
        directory: join(dir.path, 'f'),
        host: 'x',
        runner: hostRunner,
        targets: served,
      });
      await driver.init();
      const a = disk('a', { provider_auth: 'CHAP user password1234' });
      await driver.create(a);
      const facts = await driver.ensureExport(a);
      expect(facts.provider_location).toBe(`127.0.0.1:${tgt.port},1 iqn.2010-10.org.openstack:volume-a 1`);
      const { stdout } = await tgt.runner(['tgt-admin', '--show'], { timeoutMs: 20_000, env: HOST_ENV });
      expect(stdout).toContain(join(dir.path, 'f', 'volume-a'));
      expect(stdout).toMatch(/Account information:\s+user/);
      expect(await driver.sweep([])).toEqual(['target volume-a']);
      await expect(driver.checkExport(a)).rejects.toMatchObject({ name: 'ISCSITargetNotFoundForVolume' });
    } finally {
      await tgt.stop();
    }
  });
});
