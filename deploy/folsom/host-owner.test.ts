import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leaveHost, networkNamespace, ownsHost, takeHost } from './host-owner.ts';
import { layoutOf } from './layout.ts';
import { hostsFileOf } from './leftovers.ts';
import { startOf } from './running.ts';

describe('the owner of the network of a host', () => {
  const first = layoutOf('/tmp/first-cloud');
  const second = layoutOf('/tmp/second-cloud');
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'folsom-owner-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const file = async () => join(folder, (await readdir(folder))[0]!);

  it('is the cloud that started there, and the only one to clear it', async () => {
    expect(await takeHost(first, folder)).toBeUndefined();
    expect(await takeHost(first, folder)).toBeUndefined();
    expect(await ownsHost(first, await networkNamespace(), folder)).toBe(true);
    expect(await ownsHost(second, undefined, folder)).toBe(false);
    await leaveHost(second, folder);
    expect(existsSync(await file())).toBe(true);
  });

  it('stays it while it runs', async () => {
    await expect(takeHost(second, folder)).rejects.toThrow(`belongs to the cloud in ${first.dir}`);
  });

  it('gives way to another once it has stopped, and clears nothing any more', async () => {
    const owner = JSON.parse(await readFile(await file(), 'utf8'));
    await writeFile(await file(), JSON.stringify({ ...owner, started: '1' }));
    expect(await takeHost(second, folder)).toBe(first.dir);
    expect(await ownsHost(first, await networkNamespace(), folder)).toBe(false);
    expect(await ownsHost(second, await networkNamespace(), folder)).toBe(true);
    await leaveHost(second, folder);
    expect(await readdir(folder)).toEqual([]);
  });

  it('does not own the network of another namespace', async () => {
    expect(await ownsHost(first, 'net:[1]', folder)).toBe(false);
    expect(await ownsHost(first, undefined, folder)).toBe(true);
  });

  it('is told by pid and start time', async () => {
    const child = spawn('sleep', ['60']);
    expect(await startOf(child.pid!)).toMatch(/^\d+$/);
    child.kill();
  });
});

describe('DHCP servers that deleted clouds have left', () => {
  it('are told by their own command line', () => {
    const words = [
      '/usr/sbin/dnsmasq',
      '--strict-order',
      '--dhcp-hostsfile=/x/nova/networks/nova-br100.conf',
    ];
    expect(hostsFileOf(words.join('\0'))).toBe('/x/nova/networks/nova-br100.conf');
    expect(hostsFileOf(['dnsmasq', '--dhcp-hostsfile=/etc/hosts.mine'].join('\0'))).toBeUndefined();
    expect(hostsFileOf(['cat', words[2]].join('\0'))).toBeUndefined();
  });
});
