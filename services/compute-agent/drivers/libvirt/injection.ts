import { chmod, constants, copyFile, truncate } from 'node:fs/promises';
import { assert, type Random } from '@folsom/core';
import { crypt } from '@folsom/host/crypt';
import { extFilesystemAt, type InjectedFile, injectFiles } from '@folsom/host/inject';
import type { NetworkInfo } from '@folsom/nova/network-info';
import type { SpawnRequest } from '../../driver.ts';
import type { ComputeSettings } from '../../settings.ts';
import { wholeBlocks } from './disk-rules.ts';
import { injectedNetwork } from './injected-network.ts';

/** What is written into guests' disks besides the user's files. */
export interface Injection {
  key: boolean;
  password: boolean;
  /** Interfaces of a guest's injected networks; null where none is. */
  network: (info: NetworkInfo) => Promise<string | null>;
  /** Of a disk with partitions. */
  partition: number;
  random: Random;
}

/** `libvirt_inject_partition`: none at all is -2; the disk itself, or whichever there is, 0 and -1. */
const NOTHING = -2;

export function injectionOf(
  settings: Pick<
    ComputeSettings,
    | 'libvirt_inject_key'
    | 'libvirt_inject_password'
    | 'libvirt_inject_partition'
    | 'injected_network_template'
    | 'use_ipv6'
  >,
  random: Random,
): Injection {
  const partition = settings.libvirt_inject_partition;
  const wanted = partition !== NOTHING;
  return {
    key: settings.libvirt_inject_key && wanted,
    password: settings.libvirt_inject_password && wanted,
    network: async info =>
      wanted
        ? injectedNetwork(info, { template: settings.injected_network_template, ipv6: settings.use_ipv6 })
        : null,
    partition: partition > 0 ? partition : 1,
    random,
  };
}

const INTERFACES = '/etc/network/interfaces';
const KEYS = '/root/.ssh/authorized_keys';
const SHADOW = '/etc/shadow';
const SALT = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./';

/** What is put into the disk of a guest: the user's files, the addresses of injected networks, key and password. */
export async function filesFor(request: SpawnRequest, injection: Injection): Promise<InjectedFile[]> {
  const { guest, adminPassword } = request;
  const files = request.injectedFiles.map(
    ([path, content]): InjectedFile => ({ path, content: Buffer.from(content, 'utf8') }),
  );
  const interfaces = await injection.network(request.network);
  if (interfaces !== null) files.push({ path: INTERFACES, content: Buffer.from(interfaces) });
  if (injection.key && guest.key_data) {
    const key = `\n# The following ssh key was injected by Nova\n${guest.key_data.trim()}\n`;
    files.push({ path: KEYS, content: before => Buffer.concat([before, Buffer.from(key)]), mode: 0o600 });
  }
  if (injection.password && adminPassword) {
    const hash = await crypt(adminPassword, `$6$${injection.random.text(16, SALT)}`);
    assert(hash !== null, 'sha512 is known, and a password that JSON carried has no NUL');
    files.push({ path: SHADOW, content: before => withRootPassword(before, hash), mode: 0o600 });
  }
  return files;
}

/**
 * Puts files into a copy of the image, since a layer over it cannot be written to from outside. False when there are none,
 * or the image has no filesystem we know: the guest then starts without, as in the original.
 */
export async function withInjectedFiles(
  files: readonly InjectedFile[],
  injection: Pick<Injection, 'partition'>,
  base: string,
  disk: string,
  size: number,
): Promise<boolean> {
  if (files.length === 0) return false;
  const offset = await extFilesystemAt(base, injection.partition);
  if (offset === undefined) return false;
  await copyFile(base, disk, constants.COPYFILE_FICLONE);
  await chmod(disk, 0o600);
  await truncate(disk, wholeBlocks(size));
  await injectFiles(disk, offset, files);
  return true;
}

/** shadow(5) with another password of root; one that does not know root stays as it is. */
function withRootPassword(shadow: Buffer, hash: string): Buffer {
  const lines = shadow.toString('latin1').split('\n');
  const changed = lines.map(line => {
    const [name, , ...rest] = line.split(':');
    return name === 'root' ? [name, hash, ...rest].join(':') : line;
  });
  return Buffer.from(changed.join('\n'), 'latin1');
}
