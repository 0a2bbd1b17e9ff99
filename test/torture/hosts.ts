import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@folsom/host';
import type { Runner } from '@folsom/host/runner';
import {
  canMakeNamespaces,
  hostNamespace,
  type LinkedHosts,
  linkedHosts,
  networkNamespace,
} from '@folsom/testing';
import { guestsOn, lastingFilter, stateOf } from './hypervisor.ts';
import { HOSTS } from './settings.ts';

export type DriverName = 'fake' | 'libvirt';

/** What a cloud's guests run on. */
export interface Hosts {
  /** Their network; undefined where no namespaces can be made. */
  links: LinkedHosts | undefined;
  /** Words put before an argument list to run it there. */
  enter(place: number): readonly string[];
  /** What nova is told there. */
  nova(place: number): Record<string, string | number | boolean>;
  guests(host: string): Promise<string[]>;
  packetFilter(host: string): Runner;
  remove(): Promise<void>;
}

/** Guests that are names in files. */
export async function simulatedHosts(dir: string): Promise<Hosts> {
  const links = canMakeNamespaces() ? await linkedHosts(HOSTS.length, networkNamespace) : undefined;
  return {
    links,
    enter: place => links?.hosts[place]?.space.enter ?? [],
    nova: place => ({ state_path: stateOf(dir, HOSTS[place]!) }),
    guests: async host => guestsOn(dir, host),
    packetFilter: host => lastingFilter(dir, host),
    remove: async () => links?.remove(),
  };
}

/** A libvirtd on each, with real guests, nova-network and packet filter. */
export async function libvirtHosts(dir: string): Promise<Hosts> {
  const links = await linkedHosts(HOSTS.length, hostNamespace);
  const at = (host: string) => links.hosts[HOSTS.indexOf(host as (typeof HOSTS)[number])]!;
  const enter = (place: number) => links.hosts[place]?.space.enter ?? [];
  const socket = (place: number) =>
    `qemu:///system?socket=${join(links.hosts[place]!.space.dir, 'run', 'libvirt-sock')}`;
  for (const [place, { space }] of links.hosts.entries()) {
    for (const folder of ['instances', 'networks'])
      mkdirSync(join(stateOf(dir, HOSTS[place]!), folder), { recursive: true });
    await space.startLibvirtd();
    // The wire of the guests' network; the host's own card is for what is cut.
    await space.exec(['ip', 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'port1'], {
      allowedCodes: [0],
    });
    await space.exec(['ip', 'link', 'set', 'eth1', 'up'], { allowedCodes: [0] });
  }
  return {
    links: links as unknown as LinkedHosts,
    enter,
    nova: place => ({
      state_path: stateOf(dir, HOSTS[place]!),
      instances_path: join(stateOf(dir, HOSTS[place]!), 'instances'),
      networks_path: join(stateOf(dir, HOSTS[place]!), 'networks'),
      my_ip: links.hosts[place]!.address,
      metadata_host: links.hosts[place]!.address,
      libvirt_uri: socket(place),
      libvirt_inject_key: false,
      libvirt_use_virtio_for_bridges: true,
      fake_network: false,
      multi_host: true,
    }),
    guests: async host => {
      const words = [
        'virsh',
        '-c',
        socket(HOSTS.indexOf(host as (typeof HOSTS)[number])),
        'list',
        '--all',
        '--name',
      ];
      const { stdout } = await at(host).space.exec(words, { allowedCodes: [0] });
      return stdout.split('\n').filter(Boolean);
    },
    packetFilter: host => {
      const prefix = at(host).space.enter;
      return Object.assign(
        ((argv, options) => run([...prefix, ...argv], options)) as (
          ...given: Parameters<Runner>
        ) => ReturnType<Runner>,
        { prefix },
      );
    },
    remove: () => links.remove(),
  };
}
