import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { systemRandom } from '@folsom/core';
import { LIBVIRTD_IN_NAMESPACES, QEMU_IN_NAMESPACES } from '@folsom/host/libvirtd';
import { isInstalled } from './servers.ts';
import { inside, type Space } from './spaces.ts';

const NEEDED = [
  '/usr/sbin/libvirtd',
  '/usr/bin/qemu-system-x86_64',
  '/usr/bin/qemu-img',
  '/usr/sbin/dnsmasq',
  '/usr/sbin/iptables',
  '/dev/net/tun',
];

/** What this machine lacks for guests that are real. */
export const libvirtMissing = (): string[] =>
  NEEDED.filter(file => !(file.startsWith('/dev/') ? existsSync(file) : isInstalled(file)));

/** A libvirtd of the host's own, which nova-compute starts as it does where no service manager keeps one. */
export async function prepareLibvirt(space: Space): Promise<void> {
  const at = (path: string) => inside(space, path);
  rmSync(at('/etc/libvirt/qemu/networks/autostart'), { recursive: true, force: true });
  for (const folder of [
    '/etc/libvirt',
    '/var/lib/libvirt/qemu',
    '/var/lib/libvirt/images',
    '/var/log/libvirt',
  ])
    mkdirSync(at(folder), { recursive: true });
  writeFileSync(at('/etc/libvirt/qemu.conf'), QEMU_IN_NAMESPACES);
  // Hosts are told apart by this.
  const uuid = `host_uuid = "${systemRandom.uuid()}"\n`;
  writeFileSync(at('/etc/libvirt/libvirtd.conf'), LIBVIRTD_IN_NAMESPACES + uuid);
}
