import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { extFilesystemAt, injectFiles } from './inject.ts';
import { run } from './run.ts';

const tools = needs('debugfs and mke2fs', existsSync('/usr/sbin/debugfs') && existsSync('/usr/sbin/mke2fs'));
if (!tools) console.warn('skipped: no e2fsprogs here');

describe.skipIf(!tools)('files put into an image', () => {
  let dir: string;
  let disk: string;
  const read = async (path: string, at = disk) =>
    (await run(['debugfs', '-R', `cat "${path}"`, at], { timeoutMs: 30_000 })).stdout;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'inject-test-'));
    disk = join(dir, 'disk');
    await writeFile(disk, '');
    await truncate(disk, 8 * 1024 ** 2);
    await run(['mke2fs', '-q', '-F', '-t', 'ext4', disk], { timeoutMs: 30_000 });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('arrive with their folders, replace and append', async () => {
    const offset = await extFilesystemAt(disk, 1);
    expect(offset).toBe(0);
    await injectFiles(disk, 0, [
      { path: '/etc/deep/er/file', content: Buffer.from('one') },
      { path: 'root/.ssh/authorized_keys', content: Buffer.from('key1\n'), mode: 0o600 },
    ]);
    await injectFiles(disk, 0, [
      { path: '/etc/deep/er/file', content: Buffer.from('two') },
      {
        path: '/root/.ssh/authorized_keys',
        content: before => Buffer.concat([before, Buffer.from('key2\n')]),
        mode: 0o600,
      },
    ]);
    expect(await read('/etc/deep/er/file')).toBe('two');
    expect(await read('/root/.ssh/authorized_keys')).toBe('key1\nkey2\n');
  });

  it('52: CVE-2012-3361: neither .. nor links lead out of the image', async () => {
    const outside = join(dir, 'outside');
    await run(['debugfs', '-w', '-R', `symlink /link ${dir}`, disk], { timeoutMs: 30_000 });
    const evil = { content: Buffer.from('evil') };
    await injectFiles(disk, 0, [{ path: `/link/outside`, ...evil }]).catch(() => {});
    await injectFiles(disk, 0, [{ path: `../../../../../../../../..${outside}`, ...evil }]).catch(() => {});
    expect(existsSync(outside)).toBe(false);
    const refused = injectFiles(disk, 0, [{ path: '/a"\nwrite /etc/passwd /stolen', ...evil }]);
    expect(await refused.catch(error => error.name)).toBe('InjectionFailed');
    expect(await read('/stolen')).toBe('');
  });

  it('finds the filesystem of a partition', async () => {
    const whole = join(dir, 'whole');
    const head = Buffer.alloc(1024 ** 2);
    head.writeUInt32LE(2048, 446 + 8);
    head.writeUInt16LE(0xaa55, 510);
    await writeFile(whole, head);
    await copyFile(disk, join(dir, 'part'));
    await run(['dd', `if=${join(dir, 'part')}`, `of=${whole}`, 'bs=1M', 'seek=1', 'status=none'], {
      timeoutMs: 30_000,
    });
    expect(await extFilesystemAt(whole, 1)).toBe(1024 ** 2);
    await injectFiles(whole, 1024 ** 2, [{ path: '/hello', content: Buffer.from('hi') }]);
    expect(await read('/hello', `${whole}?offset=${1024 ** 2}`)).toBe('hi');
  });
});
