import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, isFault, type Logger } from '@folsom/core';
import { powerState } from '@folsom/nova/instance-state';
import type { NetworkInfo } from '@folsom/nova/network-info';
import type { Guest, Volumes } from '../../driver.ts';
import type { ComputeSettings } from '../../settings.ts';
import type { LibvirtConnection } from './connection.ts';
import type { DomainDisk } from './disk-xml.ts';
import { domainXml } from './domain-xml.ts';
import type { Firewall } from './firewall.ts';
import { existingGuestFiles, type GuestDisks, guestFolder, rootTarget, touchConsole } from './guest-files.ts';
import { LibvirtError } from './threads.ts';
import type { HostVolumes } from './volumes/host-volumes.ts';

/** What shows only once libvirt and the host have been looked at. */
export interface HostTraits {
  type: 'kvm' | 'qemu';
  /** Filters that keep guests from using others' addresses; null where libvirt has none. */
  filters: { ipv6: boolean } | null;
  /** Guests' processes must be root's to get at their disks. */
  asRoot: boolean;
}

/** Guests as libvirt's domains. */
export interface GuestDomains {
  folderOf(guest: Guest): string;
  exists(guest: Guest): Promise<boolean>;
  /** power_state. @throws Fault `InstanceNotFound` */
  stateOf(guest: Guest): Promise<number>;
  /** Describes a guest with these disks and volumes, which are connected, and writes the description beside them. */
  describe(guest: Guest, files: GuestDisks, network: NetworkInfo, volumes: Volumes): Promise<string>;
  defineAndStart(guest: Guest, files: GuestDisks, network: NetworkInfo, volumes: Volumes): Promise<void>;
  /** Starts a guest as it was described, its volumes connected again. */
  start(guest: Guest, volumes: Volumes): Promise<void>;
  stop(guest: Guest): Promise<void>;
  /** The domain goes; its files stay. */
  undefine(guest: { name: string }): Promise<void>;
  /** Described anew from its files and started. */
  hardReboot(guest: Guest, network: NetworkInfo, volumes: Volumes): Promise<void>;
  /** Whether the guest shut itself down in time and was started again. */
  softReboot(guest: Guest, volumes: Volumes): Promise<boolean>;
}

/** libvirt's states as power states. */
const POWER: readonly number[] = [
  powerState.noState,
  powerState.running,
  powerState.running,
  powerState.paused,
  powerState.shutdown,
  powerState.shutdown,
  powerState.crashed,
  powerState.suspended,
];
export const powerOf = (state: number): number => POWER[state] ?? powerState.noState;

/** A domain that is shutting itself down: to users it is off already, and yet it cannot be started. */
const SHUTTING_DOWN = 4;
/** How long a guest that is ending may take before it is ended. */
const END_MS = 60_000;

/** Waiting for a guest to shut itself down, how often it is looked at. */
const SHUTDOWN_POLL_MS = 500;
/** How long a start is tried again, ms, and the longest pause before the next try. */
const START_MS = 30_000;
const START_PAUSE_MS = 2_000;
/** On a busy host a try alone waits for many others: it is given up only when both this many and the time are used up. */
const START_TRIES = 15;

/** How long a guest may take to shut itself down; one that has not is rebooted hard. */
const softRebootMs = (settings: ComputeSettings): number => {
  const { libvirt_wait_soft_reboot_seconds: wait, reboot_timeout: stuck } = settings;
  return (stuck > 0 ? Math.min(wait, stuck) : wait) * 1000;
};

/** Waits for work on a guest and forgives that libvirt does not know it. */
export async function ifThere(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isFault(error, 'InstanceNotFound')) throw error;
  }
}

/** What is asked of a guest, or the other where libvirt does not know it. */
export async function ifPresent<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isFault(error, 'InstanceNotFound')) throw error;
    return otherwise;
  }
}

export function guestDomains(options: {
  libvirt: LibvirtConnection;
  firewall: Firewall;
  settings: ComputeSettings;
  traits: HostTraits;
  /** What guests' disks are called, `vd`. */
  prefix: string;
  volumes: HostVolumes;
  /** Finds out the traits, where that was not possible before. */
  prepare(): Promise<void>;
  clock: Clock;
  log: Logger;
}): GuestDomains {
  const { libvirt, firewall, settings, traits, clock, log } = options;
  const stateOf = async (guest: Guest) => powerOf((await libvirt.info(guest.name)).state);

  /**
   * Starts a domain. The tool that libvirt sets its filters with loses races against anybody else who changes the
   * packet filter at that moment; then nothing has been started, and it is simply tried again.
   */
  const startDomain = async (name: string): Promise<void> => {
    if (!(await isOff(name, END_MS))) await libvirt.destroy(name);
    const end = clock.monotonic() + START_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await libvirt.create(name);
      } catch (error) {
        const lostRace =
          error instanceof LibvirtError && /Failed to apply firewall rules/.test(error.message);
        if (!lostRace || (attempt >= START_TRIES && clock.monotonic() >= end)) throw error;
        log.warn('filters of a guest were disturbed, starting it again', { guest: name, attempt });
        await clock.sleep(Math.min(attempt * 200, START_PAUSE_MS));
      }
    }
  };

  /** Whether a guest that is shutting itself down is off within the time given; one that is not ending counts as off. */
  const isOff = async (name: string, ms: number): Promise<boolean> => {
    const end = clock.monotonic() + ms;
    while ((await libvirt.info(name)).state === SHUTTING_DOWN) {
      if (clock.monotonic() >= end) return false;
      await clock.sleep(SHUTDOWN_POLL_MS);
    }
    return true;
  };

  const domains: GuestDomains = {
    folderOf: guest => guestFolder(settings.instances_path, guest),
    stateOf,
    async start(guest, volumes) {
      for (const volume of volumes) await options.volumes.connect(volume);
      await startDomain(guest.name);
    },
    async exists(guest) {
      try {
        await libvirt.info(guest.name);
        return true;
      } catch (error) {
        if (isFault(error, 'InstanceNotFound')) return false;
        throw error;
      }
    },
    async describe(guest, files, network, volumes) {
      await options.prepare();
      const folder = domains.folderOf(guest);
      const xml = domainXml({
        guest,
        ...traits,
        disks: await allDisks(options.volumes, files.disks, volumes, rootTarget(options.prefix)),
        ...(files.kernel === undefined ? {} : { kernel: files.kernel }),
        network,
        consoleLog: await touchConsole(folder),
        vnc: settings.vnc_enabled ? { listen: settings.vncserver_listen, keymap: settings.vnc_keymap } : null,
        virtioCards: settings.libvirt_use_virtio_for_bridges,
        tablet: settings.use_usb_tablet,
        cpuMode: settings.libvirt_cpu_mode,
        cpuModel: settings.libvirt_cpu_model,
      });
      await writeFile(join(folder, 'libvirt.xml'), xml, { mode: 0o600 });
      return xml;
    },
    // Filters first: a guest never has a moment without them.
    async defineAndStart(guest, files, network, volumes) {
      const xml = await domains.describe(guest, files, network, volumes);
      await Promise.all([firewall.add({ id: guest.id, uuid: guest.uuid, network }), libvirt.define(xml)]);
      await startDomain(guest.name);
    },
    stop: guest => ifThere(libvirt.destroy(guest.name)),
    async undefine(guest) {
      await ifThere(libvirt.destroy(guest.name));
      await ifThere(libvirt.undefine(guest.name));
    },
    async hardReboot(guest, network, volumes) {
      await domains.undefine(guest);
      const files = await existingGuestFiles(domains.folderOf(guest));
      await domains.defineAndStart(guest, files, network, volumes);
    },
    async softReboot(guest, volumes) {
      if ((await stateOf(guest)) !== powerState.running) return false;
      await libvirt.shutdown(guest.name);
      const end = clock.monotonic() + softRebootMs(settings);
      while (clock.monotonic() < end) {
        const { state } = await libvirt.info(guest.name);
        const ended = powerOf(state) === powerState.shutdown || powerOf(state) === powerState.crashed;
        if (ended && state !== SHUTTING_DOWN) {
          await domains.start(guest, volumes);
          return true;
        }
        await clock.sleep(SHUTDOWN_POLL_MS);
      }
      return false;
    },
  };
  return domains;
}

/** A volume comes in the place of a disk that the guest would have had there; where it is the first, that is booted from. */
async function allDisks(
  host: HostVolumes,
  files: readonly DomainDisk[],
  volumes: Volumes,
  first: string,
): Promise<DomainDisk[]> {
  const connected: DomainDisk[] = [];
  for (const volume of volumes) connected.push(await host.connect(volume));
  const taken = new Set(connected.map(disk => disk.target));
  const root = connected.filter(disk => disk.target === first);
  const rest = connected.filter(disk => disk.target !== first);
  return [...root, ...files.filter(disk => !taken.has(disk.target)), ...rest];
}
