import { readFile, statfs } from 'node:fs/promises';
import type { Clock } from '@folsom/core';
import type { HypervisorResources } from '@folsom/nova/compute-node-report';
import type { LibvirtConnection } from './connection.ts';

/** What this host is and has. */
export interface HostFacts {
  resources(): Promise<HypervisorResources>;
  /** Broadcast to schedulers as capabilities. */
  stats(): Promise<Record<string, unknown>>;
  /** What `uptime` prints. */
  uptime(): Promise<string>;
}

const SECONDS_A_DAY = 86_400;

export function hostFacts(options: {
  libvirt: LibvirtConnection;
  instancesPath: string;
  clock: Clock;
}): HostFacts {
  const { libvirt, instancesPath, clock } = options;
  const space = async () => {
    const { bsize, blocks, bavail } = await statfs(instancesPath);
    const gigabytes = (count: number) => Math.floor((count * bsize) / 1024 ** 3);
    return { total: gigabytes(blocks), used: gigabytes(blocks - bavail), free: gigabytes(bavail) };
  };
  const hypervisor = async () => ({
    hypervisor_type: 'QEMU',
    hypervisor_version: await libvirt.version(),
    hypervisor_hostname: await libvirt.hostname(),
  });
  return {
    async resources() {
      const node = await libvirt.nodeInfo();
      const disk = await space();
      const { sockets, cores, threads } = node;
      return {
        vcpus: node.cpus,
        memory_mb: Math.floor(node.memory / 1024),
        local_gb: disk.total,
        vcpus_used: 0,
        memory_mb_used: 0,
        local_gb_used: disk.used,
        ...(await hypervisor()),
        cpu_info: JSON.stringify({
          arch: 'x86_64',
          model: node.model,
          topology: { sockets, cores, threads },
        }),
        disk_available_least: disk.free,
      };
    },
    async stats() {
      const node = await libvirt.nodeInfo();
      const disk = await space();
      return {
        vcpus: node.cpus,
        vcpus_used: 0,
        cpu_info: { arch: 'x86_64', model: node.model },
        disk_total: disk.total,
        disk_used: disk.used,
        disk_available: disk.free,
        host_memory_total: Math.floor(node.memory / 1024),
        host_memory_free: Math.floor((await libvirt.freeMemory()) / 1024 ** 2),
        ...(await hypervisor()),
      };
    },
    async uptime() {
      const seconds = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
      const load = (await readFile('/proc/loadavg', 'utf8')).split(' ').slice(0, 3).join(', ');
      const time = new Date(clock.now()).toISOString().slice(11, 19);
      const hours = Math.floor((seconds % SECONDS_A_DAY) / 3600);
      const minutes = String(Math.floor((seconds % 3600) / 60)).padStart(2, '0');
      const days = Math.floor(seconds / SECONDS_A_DAY);
      return ` ${time} up ${days} days, ${hours}:${minutes},  0 users,  load average: ${load}\n`;
    },
  };
}
