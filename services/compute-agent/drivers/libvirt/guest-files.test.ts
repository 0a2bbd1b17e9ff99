import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { adminContext, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { crypt } from '@folsom/host/crypt';
import { diskFacts } from '@folsom/host/qemu-img';
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
};
const NO_INJECTION = {
  libvirt_inject_key: false,
  libvirt_inject_password: false,
  libvirt_inject_partition: 1,
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
    return { folder, formats: disks.map(({ format }) => format) };
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
      const blank = await cache.blank(ephemeral, 4);
      return (await run(['dumpe2fs', '-h', blank], { timeoutMs: 60_000 })).stdout;
    };
    expect(await features('ext4')).toMatch(/Filesystem features:.* extent/);
    const plain = await features(null);
    expect(plain).toMatch(/Filesystem features:.*has_journal/);
    expect(plain).not.toMatch(/Filesystem features:.* extent/);
    expect(await features('ext2')).not.toMatch(/Filesystem features:.*has_journal/);
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
