import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { adminContext, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { crypt } from '@folsom/host/crypt';
import { convertDisk, diskFacts } from '@folsom/host/qemu-img';
import type { ImageClient } from '@folsom/nova/image-transfer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Guest, SpawnRequest } from '../../driver.ts';
import { diskRules } from './disk-rules.ts';
import { makeGuestFiles } from './guest-files.ts';
import { imageCache } from './image-cache.ts';
import { injectionOf } from './injection.ts';

const tools = needs(
  'qemu-img and e2fsprogs',
  ['/usr/bin/qemu-img', '/usr/sbin/debugfs', '/usr/sbin/mke2fs'].every(path => existsSync(path)),
);

const MEGABYTE = 1024 ** 2;
const PLAIN = {
  libvirt_images_type: 'default',
  use_cow_images: true,
  default_ephemeral_format: null as string | null,
  force_raw_images: true,
  snapshot_image_format: null as string | null,
  libvirt_disk_prefix: null as string | null,
  virt_mkfs: [
    'default=mkfs.ext3 -L %(fs_label)s -F %(target)s',
    'linux=mkfs.ext3 -L %(fs_label)s -F %(target)s',
    'windows=mkfs.vfat -n %(fs_label)s %(target)s',
  ] as readonly string[],
};
const NO_INJECTION = {
  libvirt_inject_key: false,
  libvirt_inject_password: false,
  libvirt_inject_partition: 1,
  injected_network_template: '/nowhere',
  use_ipv6: false,
};

describe.skipIf(!tools)("guests' disks as nova.conf wants them", () => {
  let dir: string;
  let image: Buffer;
  let cache: ReturnType<typeof imageCache>;
  let serial = 0;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'guest-files-'));
    const root = join(dir, 'image');
    const shadow = join(dir, 'shadow');
    await writeFile(root, '');
    await truncate(root, 4 * MEGABYTE);
    await writeFile(shadow, 'daemon:*:1::::::\nroot:!:19000:0:99999:7:::\n');
    await run(['mke2fs', '-q', '-F', '-t', 'ext4', root], { timeoutMs: 60_000 });
    const input = `mkdir /etc\nwrite ${shadow} /etc/shadow\n`;
    await run(['debugfs', '-w', '-f', '-', root], { timeoutMs: 60_000, input });
    image = await readFile(root);
    const images = { download: async () => Readable.from([image]) } as Partial<ImageClient>;
    cache = imageCache({
      directory: join(dir, '_base'),
      sizeless: { virtualGigabytes: 20, expansion: 100 },
      images: images as ImageClient,
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
    });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  /** The disks of a guest, made in a folder of its own. */
  const made = async (
    options: Partial<typeof PLAIN> = {},
    injection: Partial<typeof NO_INJECTION> = {},
    more: Partial<SpawnRequest> = {},
  ) => {
    const flavor = { root_gb: 0, ephemeral_gb: 0, swap: 1 };
    const request = {
      context: adminContext(),
      guest: { name: 'one', kernel_id: null, ramdisk_id: null, key_data: 'ssh-rsa KEY', flavor },
      image: { id: 'image-1', disk_format: 'raw', container_format: 'bare', size: image.length },
      injectedFiles: [],
      adminPassword: 'its password',
      network: [],
      volumes: [],
      signal: new AbortController().signal,
      ...more,
    } as unknown as SpawnRequest & { guest: Guest };
    const folder = join(dir, `guest-${++serial}`);
    const { disks } = await makeGuestFiles(request, {
      folder,
      cache,
      rules: diskRules({ ...PLAIN, ...options }),
      injection: injectionOf({ ...NO_INJECTION, ...injection }, systemRandom),
    });
    return { folder, formats: disks.map(({ format }) => format), targets: disks.map(({ target }) => target) };
  };
  const read = async (folder: string, path: string) =>
    (await run(['debugfs', '-R', `cat "${path}"`, join(folder, 'disk')], { timeoutMs: 60_000 })).stdout;

  it('layers over cached images, or whole copies', async () => {
    const layered = await made();
    expect(layered.formats).toEqual(['qcow2', 'qcow2']);
    expect((await diskFacts(join(layered.folder, 'disk'), 'qcow2')).backingFile).toContain('/_base/');
    expect((await made({ use_cow_images: false })).formats).toEqual(['raw', 'raw']);
    expect((await made({ use_cow_images: false, libvirt_images_type: 'qcow2' })).formats).toEqual([
      'qcow2',
      'qcow2',
    ]);
    const { folder, formats } = await made({ libvirt_images_type: 'raw' });
    expect(formats).toEqual(['raw', 'raw']);
    expect((await readFile(join(folder, 'disk'))).equals(image)).toBe(true);
    expect((await stat(join(folder, 'disk'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'disk.swap'))).size).toBe(MEGABYTE);
  });

  it('an ephemeral disk has the format asked for', async () => {
    const features = async (format: string | null) => {
      const { ephemeral } = diskRules({ ...PLAIN, default_ephemeral_format: format });
      const blank = await cache.blank({ mkfs: ephemeral(null) }, 4);
      return (await run(['dumpe2fs', '-h', blank], { timeoutMs: 60_000 })).stdout;
    };
    expect(await features('ext4')).toMatch(/Filesystem features:.* extent/);
    const plain = await features(null);
    expect(plain).toMatch(/Filesystem features:.*has_journal/);
    expect(plain).not.toMatch(/Filesystem features:.* extent/);
    expect(await features('ext2')).not.toMatch(/Filesystem features:.*has_journal/);
  });

  it('an ephemeral disk is what virt_mkfs has for the os_type of the image', async () => {
    const { ephemeral } = diskRules({ ...PLAIN, default_ephemeral_format: 'ext4' });
    expect(ephemeral('windows')).toBe('mkfs.vfat -n %(fs_label)s %(target)s');
    expect(ephemeral('linux')).toBe(ephemeral('plan9'));
    expect(ephemeral('linux')).toContain('mkfs.ext4');
    expect(diskRules({ ...PLAIN, virt_mkfs: [] }).ephemeral('linux')).toBe('');
    const bytes = async (mkfs: string) => readFile(await cache.blank({ mkfs }, 4));
    const unformatted = Buffer.alloc(4 * MEGABYTE);
    expect((await bytes('')).equals(unformatted)).toBe(true);
    expect((await bytes('mkfs.nobody-has-it %(target)s')).equals(unformatted)).toBe(true);
    expect((await bytes('mke2fs -q -L %(fs_label)s -F %(target)s')).includes('ephemeral0')).toBe(true);
    expect(() => diskRules({ ...PLAIN, virt_mkfs: ['mkfs.ext3'] })).toThrow('OS_TYPE=COMMAND');
  });

  it('are called as libvirt_disk_prefix says', async () => {
    expect((await made()).targets).toEqual(['vda', 'vdb']);
    expect((await made({ libvirt_disk_prefix: 'sd' })).targets).toEqual(['sda', 'sdb']);
    expect(() => diskRules({ ...PLAIN, libvirt_disk_prefix: "a'" })).toThrow('vd, sd, xvd');
  });

  it('stand on a qcow2 image as it was uploaded, where it need not be raw', async () => {
    const [source, uploaded] = [join(dir, 'source'), join(dir, 'uploaded')];
    await writeFile(source, image);
    await convertDisk({ from: source, fromFormat: 'raw', to: uploaded, toFormat: 'qcow2' });
    image = await readFile(uploaded);
    try {
      const qcow2 = { id: 'image-2', disk_format: 'qcow2', container_format: 'bare', size: image.length };
      const more = { image: qcow2 as SpawnRequest['image'] };
      const { folder, formats } = await made({ force_raw_images: false }, {}, more);
      expect(formats[0]).toBe('qcow2');
      const { backingFile, virtualSize } = await diskFacts(join(folder, 'disk'), 'qcow2');
      expect(virtualSize).toBe(4 * MEGABYTE);
      expect((await readFile(backingFile!)).equals(image)).toBe(true);
      // With all it stands on it is the very disk.
      const whole = join(folder, 'whole');
      const from = { from: join(folder, 'disk'), fromFormat: 'qcow2', basesIn: dir };
      await convertDisk({ ...from, to: whole, toFormat: 'raw' });
      expect((await readFile(whole)).equals(await readFile(source))).toBe(true);
      // Something to write into it, a copy instead of a layer, or raw images: unpacked.
      const files = { injectedFiles: [['/etc/motd', 'hello']] } as Partial<SpawnRequest>;
      const written = await made({ force_raw_images: false }, {}, { ...more, ...files });
      expect(written.formats[0]).toBe('raw');
      expect(await read(written.folder, '/etc/motd')).toBe('hello');
      const copied = await made({ force_raw_images: false, use_cow_images: false }, {}, more);
      expect((await readFile(join(copied.folder, 'disk'))).equals(await readFile(source))).toBe(true);
      const raw = await made({}, {}, more);
      expect((await diskFacts(join(raw.folder, 'disk'), 'qcow2')).backingFile).not.toContain('.qcow2');
    } finally {
      image = await readFile(source);
    }
  });

  it('as it was uploaded an image may neither stand on a file of the host nor say that it is another', async () => {
    const before = image;
    const trap = join(dir, 'trap');
    try {
      for (const [id, disk_format, base] of [
        ['trap-1', 'qcow2', ['-b', '/etc/passwd', '-F', 'raw']],
        ['trap-2', 'raw', []],
      ] as const) {
        await rm(trap, { force: true });
        await run(['qemu-img', 'create', '-q', '-f', 'qcow2', ...base, trap, '1M'], { timeoutMs: 60_000 });
        image = await readFile(trap);
        const of = { id, disk_format, container_format: 'bare', size: image.length } as SpawnRequest['image'];
        await expect(made({ force_raw_images: false }, {}, { image: of })).rejects.toMatchObject({
          name: 'ImageUnacceptable',
        });
      }
    } finally {
      image = before;
    }
  });

  it('of injected networks are told their addresses, those without nothing', async () => {
    const subnet = { cidr: '10.5.0.0/16', version: 4, routes: [], meta: {} };
    const ip = (address: string) => ({ address, type: 'x', version: 4, meta: {} });
    const network = (injected: boolean) =>
      [
        {
          id: 'v',
          address: 'fa:16:3e:00:00:01',
          meta: {},
          network: {
            id: 'n',
            bridge: 'br100',
            label: 'x',
            meta: { tenant_id: null, injected },
            subnets: [
              {
                ...subnet,
                gateway: ip('10.5.0.1'),
                dns: [ip('8.8.4.4')],
                ips: [{ ...ip('10.5.0.7'), floating_ips: [] }],
              },
            ],
          },
        },
      ] as SpawnRequest['network'];
    const { folder, formats } = await made({}, {}, { network: network(true) });
    expect(formats[0]).toBe('raw');
    expect(await read(folder, '/etc/network/interfaces')).toContain(
      '    address 10.5.0.7\n    netmask 255.255.0.0\n',
    );
    expect((await made({}, {}, { network: network(false) })).formats[0]).toBe('qcow2');
    const none = { libvirt_inject_partition: -2 };
    expect((await made({}, none, { network: network(true) })).formats[0]).toBe('qcow2');
  });

  it('key and password are written where that is asked for, and nothing where nothing is', async () => {
    const { folder, formats } = await made(
      {},
      { libvirt_inject_key: true, libvirt_inject_password: true },
      { injectedFiles: [['/etc/motd', 'hello']] },
    );
    expect(formats[0]).toBe('raw');
    expect(await read(folder, '/etc/motd')).toBe('hello');
    expect(await read(folder, '/root/.ssh/authorized_keys')).toContain('ssh-rsa KEY');
    const [daemon, root] = (await read(folder, '/etc/shadow')).split('\n');
    expect(daemon).toBe('daemon:*:1::::::');
    const hash = /^root:(\$6\$[^:]+):19000:0:99999:7:::$/.exec(root!)?.[1];
    expect(await crypt('its password', hash!)).toBe(hash);
    // Partition -2: nothing of ours is written.
    const none = { libvirt_inject_key: true, libvirt_inject_password: true, libvirt_inject_partition: -2 };
    expect((await made({}, none)).formats[0]).toBe('qcow2');
  });

  it('what cannot be is refused, and not made otherwise', () => {
    expect(() => diskRules({ ...PLAIN, libvirt_images_type: 'lvm' })).toThrow('libvirt_images_type = lvm');
    expect(() => diskRules({ ...PLAIN, default_ephemeral_format: 'ntfs' })).toThrow('ext2, ext3, ext4');
  });
});
