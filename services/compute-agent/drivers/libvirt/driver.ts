import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isFault, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { isoImage } from '@folsom/host/iso9660';
import { convertDisk } from '@folsom/host/qemu-img';
import { hostRunner, type Runner } from '@folsom/host/runner';
import { instanceMetadata } from '@folsom/nova/instance-metadata';
import { powerState, taskState } from '@folsom/nova/instance-state';
import { fixedIpsOf, type NetworkInfo, parseNetworkInfo } from '@folsom/nova/network-info';
import { CONSOLE_CHARS_MAX } from '../../console.ts';
import type { ComputeDriver, Guest, SpawnRequest, VolumeAttachment } from '../../driver.ts';
import { computeFault } from '../../faults.ts';
import type { ImageClient } from '../../image-client.ts';
import type { ComputeSettings } from '../../settings.ts';
import { LibvirtError, libvirtConnection } from './connection.ts';
import { cardsOf, domainXml, NOVA_BASE_FILTER, vncPort } from './domain-xml.ts';
import { firewall as makeFirewall } from './firewall.ts';
import {
  copyGuestFiles,
  existingGuestFiles,
  type GuestDisks,
  growRootDisk,
  guestFolder,
  makeGuestFiles,
  readDiskInfo,
  sendGuestFiles,
  setAside,
  tailOf,
  touchConsole,
} from './guest-files.ts';
import { cacheName, imageCache } from './image-cache.ts';

export interface LibvirtDriverOptions {
  settings: ComputeSettings;
  db: Database;
  images: ImageClient;
  world: World;
  /** Where iptables runs; the same place as the guests' bridges. */
  runner?: Runner;
  /** Text of /proc/cpuinfo, to know whether processors virtualise. */
  cpuInfo?: () => Promise<string>;
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

/** Waiting for a guest to shut itself down, how often it is looked at. */
const SHUTDOWN_POLL_MS = 500;
const START_ATTEMPTS = 5;

/**
 * Whether this machine's processors can run guests themselves. /dev/kvm and libvirt's capabilities may be there
 * without it, on hosts that are guests themselves: a domain then starts and never gets anywhere.
 */
export const canVirtualise = (cpuInfo: string): boolean => /^flags\s*:.*\b(vmx|svm)\b/m.test(cpuInfo);

/**
 * Whether a user without rights gets as far as this folder. Guests' processes are such users; where they cannot get
 * at their disks (a state directory in root's home) they have to be root's.
 */
async function othersMayEnter(path: string): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    const info = await stat(folder).catch(() => undefined);
    if (info === undefined || (info.mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

export function libvirtDriver(options: LibvirtDriverOptions): ComputeDriver {
  const { settings, world, images } = options;
  const log = world.log.child({ service: 'nova-compute', driver: 'libvirt' });
  const instancesPath = settings.instances_path;
  const libvirt = libvirtConnection({
    uri: settings.libvirt_uri || 'qemu:///system',
    host: settings.host,
    clock: world.clock,
    log,
  });
  const cache = imageCache({
    directory: join(instancesPath, settings.base_dir_name),
    images,
    clock: world.clock,
    random: world.random,
    log,
  });
  const firewall = makeFirewall({
    db: options.db,
    runner: options.runner ?? hostRunner,
    log,
    allowSameNetTraffic: settings.allow_same_net_traffic,
  });
  let type: 'kvm' | 'qemu' = 'qemu';
  let filter: string | null = null;
  let asRoot = false;

  const folderOf = (guest: Guest) => guestFolder(instancesPath, guest);

  const describe = (guest: Guest, files: GuestDisks, network: NetworkInfo, consoleLog: string) =>
    domainXml({
      guest,
      type,
      disks: files.disks,
      ...(files.kernel === undefined ? {} : { kernel: files.kernel }),
      network,
      filter,
      consoleLog,
      vnc: settings.vnc_enabled ? { listen: settings.vncserver_listen, keymap: settings.vnc_keymap } : null,
      asRoot,
      cpuMode: settings.libvirt_cpu_mode,
      cpuModel: settings.libvirt_cpu_model,
    });

  /** The documents of the metadata service on a disk, for guests that ask for it. */
  const configDrive = async ({ guest, injectedFiles, network }: SpawnRequest): Promise<Buffer | null> => {
    const wanted = /^(true|1|yes|on|always)$/i;
    if (!wanted.test(guest.config_drive ?? '') && !wanted.test(settings.force_config_drive ?? ''))
      return null;
    const address = fixedIpsOf(network)[0]?.address ?? '';
    const metadata = await instanceMetadata(options.db, settings, guest.uuid, address, world.clock.now());
    const files = new Map<string, Uint8Array>();
    for (const [path, text] of metadata.files(injectedFiles)) {
      files.set(
        path,
        Buffer.from(text, path.endsWith('user-data') || path.endsWith('user_data') ? 'latin1' : 'utf8'),
      );
    }
    return isoImage('config-2', files, world.clock.now());
  };

  /**
   * Starts a domain. The tool that libvirt sets its filters with loses races against anybody else who changes the
   * packet filter at that moment; then nothing has been started, and it is simply tried again.
   */
  const startDomain = async (name: string): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await libvirt.create(name);
      } catch (error) {
        const lostRace =
          error instanceof LibvirtError && /Failed to apply firewall rules/.test(error.message);
        if (!lostRace || attempt >= START_ATTEMPTS) throw error;
        log.warn('filters of a guest were disturbed, starting it again', { guest: name, attempt });
        await world.clock.sleep(attempt * 200);
      }
    }
  };

  /** Filters first: a guest never has a moment without them. */
  const defineAndStart = async (guest: Guest, files: GuestDisks, network: NetworkInfo): Promise<void> => {
    const folder = folderOf(guest);
    const xml = describe(guest, files, network, await touchConsole(folder));
    await writeFile(join(folder, 'libvirt.xml'), xml, { mode: 0o600 });
    await Promise.all([firewall.add({ id: guest.id, uuid: guest.uuid, network }), libvirt.define(xml)]);
    await startDomain(guest.name);
  };

  const exists = async (guest: Guest): Promise<boolean> => {
    try {
      await libvirt.info(guest.name);
      return true;
    } catch (error) {
      if (isFault(error, 'InstanceNotFound')) return false;
      throw error;
    }
  };

  const ifThere = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (!isFault(error, 'InstanceNotFound')) throw error;
    }
  };

  /** The domain goes; its files stay. */
  const undefine = async (guest: Guest): Promise<void> => {
    await ifThere(libvirt.destroy(guest.name));
    await ifThere(libvirt.undefine(guest.name));
  };

  const stateOf = async (guest: Guest): Promise<number> =>
    POWER[(await libvirt.info(guest.name)).state] ?? powerState.noState;

  const hardReboot = async (guest: Guest, network: NetworkInfo): Promise<void> => {
    await undefine(guest);
    await defineAndStart(guest, await existingGuestFiles(folderOf(guest)), network);
  };

  const softReboot = async (guest: Guest): Promise<boolean> => {
    if ((await stateOf(guest)) !== powerState.running) return false;
    await libvirt.shutdown(guest.name);
    const end = world.clock.monotonic() + settings.libvirt_wait_soft_reboot_seconds * 1000;
    while (world.clock.monotonic() < end) {
      const state = await stateOf(guest);
      if (state === powerState.shutdown || state === powerState.crashed) {
        await startDomain(guest.name);
        return true;
      }
      await world.clock.sleep(SHUTDOWN_POLL_MS);
    }
    return false;
  };

  const remove = async (guest: Guest): Promise<void> => {
    await undefine(guest);
    await firewall.remove(guest);
    await rm(folderOf(guest), { recursive: true, force: true });
    // While a resize is taken back, the old disks beside the new ones are what the guest goes on with.
    if (guest.task_state !== taskState.resizeReverting) {
      await rm(`${folderOf(guest)}_resize`, { recursive: true, force: true });
    }
  };

  const notHere = async (): Promise<never> => {
    throw computeFault('NotImplementedError');
  };

  return {
    name: 'libvirt',
    reportsPowerState: true,
    rootDevice: '/dev/vda',

    async init(guests) {
      await mkdir(join(instancesPath, settings.base_dir_name), { recursive: true, mode: 0o711 });
      asRoot = !(await othersMayEnter(instancesPath));
      const cpuInfo = await (options.cpuInfo ?? (() => readFile('/proc/cpuinfo', 'utf8')))();
      type = settings.libvirt_type === 'kvm' && canVirtualise(cpuInfo) ? 'kvm' : 'qemu';
      if (settings.libvirt_type === 'kvm' && type === 'qemu') {
        log.warn('this machine cannot run guests on its own processors; they are emulated and slow');
      }
      await firewall.adopt(
        guests.map(guest => ({
          id: guest.id,
          uuid: guest.uuid,
          network: parseNetworkInfo(guest.info_cache?.network_info),
        })),
      );
      try {
        await libvirt.version();
        await libvirt.defineFilter(NOVA_BASE_FILTER);
        filter = 'nova-base';
      } catch (error) {
        if (!(error instanceof LibvirtError)) log.error('libvirt is not there yet', { error });
        else log.warn('no network filters on this host; guests could use addresses of others', { error });
      }
    },
    close: () => libvirt.close(),
    listGuests: () => libvirt.list(),

    async info(guest) {
      const info = await libvirt.info(guest.name);
      return {
        state: POWER[info.state] ?? powerState.noState,
        maxMemoryKb: info.maxMem,
        memoryKb: info.memory,
        vcpus: info.nrVirtCpu,
        cpuTimeNs: info.cpuTime,
      };
    },

    async spawn(request, step) {
      await step?.('files');
      const partition = settings.libvirt_inject_partition;
      const injection = {
        injectKey: settings.libvirt_inject_key && partition !== -2,
        injectPartition: partition > 0 ? partition : 1,
      };
      const folder = folderOf(request.guest);
      const drive = await configDrive(request);
      const files = await makeGuestFiles({ ...request, ...injection }, folder, cache, '', drive);
      request.signal.throwIfAborted();
      await step?.('start');
      await defineAndStart(request.guest, files, request.network);
    },

    async destroy(guest) {
      await remove(guest);
    },

    async reboot(guest, network, reboot) {
      if (reboot === 'SOFT' && (await exists(guest)) && (await softReboot(guest))) return;
      await hardReboot(guest, network);
    },
    powerOff: guest => ifThere(libvirt.destroy(guest.name)),
    async powerOn(guest, network) {
      if (!(await exists(guest))) return hardReboot(guest, network);
      await firewall.add({ id: guest.id, uuid: guest.uuid, network });
      await startDomain(guest.name);
    },
    async pause(guest) {
      if ((await stateOf(guest)) !== powerState.paused) await libvirt.suspend(guest.name);
    },
    async unpause(guest) {
      if ((await stateOf(guest)) === powerState.paused) await libvirt.resume(guest.name);
    },
    async suspend(guest) {
      if ((await stateOf(guest)) === powerState.running) await libvirt.managedSave(guest.name);
    },
    async resume(guest, network) {
      await firewall.add({ id: guest.id, uuid: guest.uuid, network });
      await startDomain(guest.name);
    },

    async rescue(request) {
      const { guest } = request;
      const folder = folderOf(guest);
      const rescueGuest: Guest = {
        ...guest,
        kernel_id: settings.rescue_kernel_id ?? guest.kernel_id,
        ramdisk_id: settings.rescue_ramdisk_id ?? guest.ramdisk_id,
      };
      const xml = await libvirt.xml(guest.name);
      await writeFile(join(folder, 'unrescue.xml'), xml, { mode: 0o600 });
      await makeGuestFiles({ ...request, guest: rescueGuest }, folder, cache, '.rescue');
      await undefine(guest);
      await defineAndStart(guest, await existingGuestFiles(folder, '.rescue'), request.network);
    },
    async unrescue(guest, network) {
      await hardReboot(guest, network);
      const folder = folderOf(guest);
      for (const name of await readdir(folder)) {
        if (name.endsWith('.rescue') || name === 'unrescue.xml')
          await rm(join(folder, name), { force: true });
      }
    },

    async snapshot(context, guest, imageId, client, signal) {
      if (!(await exists(guest))) throw computeFault('InstanceNotRunning', { instance_id: guest.uuid });
      const folder = folderOf(guest);
      const info = (await readDiskInfo(folder)).disk;
      if (info === undefined) throw computeFault('DiskNotFound', { location: 'disk' });
      const base = await client.show(context, guest.image_ref).catch(() => undefined);
      const bare = base?.disk_format === 'ami' || base?.container_format === 'ami';
      const format = bare ? 'raw' : 'qcow2';
      const temporary = join(settings.libvirt_snapshots_directory, world.random.uuid());
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      const running = (await stateOf(guest)) === powerState.running;
      try {
        const out = join(temporary, 'disk');
        // A standing guest's disk is whole: everything it wrote has arrived.
        if (running) await libvirt.suspend(guest.name);
        try {
          const from = join(folder, 'disk');
          await convertDisk({
            from,
            fromFormat: info.format,
            to: out,
            toFormat: format,
            shared: true,
            signal,
          });
        } finally {
          if (running) await ifThere(libvirt.resume(guest.name));
        }
        const facts = {
          disk_format: bare ? 'ami' : format,
          container_format: base?.container_format ?? 'bare',
          size: (await stat(out)).size,
          properties: {
            image_location: 'snapshot',
            image_state: 'available',
            owner_id: guest.project_id ?? '',
            ...(guest.kernel_id ? { kernel_id: guest.kernel_id } : {}),
            ...(guest.ramdisk_id ? { ramdisk_id: guest.ramdisk_id } : {}),
          },
        };
        await client.upload(context, imageId, facts, createReadStream(out), signal);
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    },

    setAdminPassword: notHere,
    injectFile: notHere,
    consoleOutput: guest => tailOf(join(folderOf(guest), 'console.log'), CONSOLE_CHARS_MAX),

    async vncConsole(guest) {
      const port = vncPort(await libvirt.xml(guest.name));
      if (port === undefined) throw computeFault('InstanceNotRunning', { instance_id: guest.uuid });
      return { host: settings.vncserver_proxyclient_address, port, internal_access_path: null };
    },

    async diagnostics(guest) {
      const info = await libvirt.info(guest.name);
      const out: Record<string, number> = {
        cpu0_time: info.cpuTime,
        memory: info.maxMem,
        'memory-actual': info.memory,
      };
      for (const { target } of Object.values(await readDiskInfo(folderOf(guest)))) {
        const stats = await libvirt.blockStats(guest.name, target).catch(() => undefined);
        if (stats === undefined) continue;
        out[`${target}_read_req`] = stats.readRequests ?? 0;
        out[`${target}_read`] = stats.readBytes ?? 0;
        out[`${target}_write_req`] = stats.writeRequests ?? 0;
        out[`${target}_write`] = stats.writeBytes ?? 0;
        out[`${target}_errors`] = stats.errors ?? 0;
      }
      return out;
    },

    async migrateDiskAndPowerOff({ guest }, destination) {
      const folder = folderOf(guest);
      await ifThere(libvirt.destroy(guest.name));
      const aside = await setAside(folder);
      const here = destination === settings.my_ip || destination === '';
      if (here) await copyGuestFiles(aside, folder);
      else await sendGuestFiles(aside, folder, destination);
      return JSON.stringify(Object.keys(await readDiskInfo(aside)));
    },
    async finishMigration(request) {
      const { guest, network } = request;
      if (request.resize) await growRootDisk(folderOf(guest), guest);
      await undefine(guest);
      await defineAndStart(guest, await existingGuestFiles(folderOf(guest)), network);
    },
    async finishRevertMigration({ guest, network }) {
      const folder = folderOf(guest);
      const aside = `${folder}_resize`;
      if ((await stat(aside).catch(() => undefined)) !== undefined) {
        await undefine(guest);
        await rm(folder, { recursive: true, force: true });
        await rename(aside, folder);
      }
      await undefine(guest);
      await defineAndStart(guest, await existingGuestFiles(folder), network);
    },
    async confirmMigration(guest) {
      await rm(`${folderOf(guest)}_resize`, { recursive: true, force: true });
      if (guest.host !== settings.host) {
        await undefine(guest);
        await firewall.remove(guest);
      }
    },

    attachVolume: notHere as (guest: Guest, volume: VolumeAttachment) => Promise<never>,
    detachVolume: notHere as (guest: Guest, volume: VolumeAttachment) => Promise<never>,
    volumeConnector: async () => ({ ip: settings.my_ip, host: settings.host }),

    async repairCards() {
      const runner = options.runner ?? hostRunner;
      const { stdout } = await runner(['ip', '-j', 'link', 'show'], { timeoutMs: 10_000 });
      const links = JSON.parse(stdout) as { ifname: string; master?: string }[];
      const lost = new Set(links.filter(link => link.master === undefined).map(link => link.ifname));
      if (!links.some(link => /^vnet\d+$/.test(link.ifname) && lost.has(link.ifname))) return;
      for (const name of await libvirt.list()) {
        for (const card of cardsOf(await libvirt.xml(name).catch(() => ''))) {
          if (!lost.has(card.device)) continue;
          log.warn('a guest was cut off its bridge; putting it back', { guest: name, ...card });
          await runner(['ip', 'link', 'set', card.device, 'master', card.bridge, 'up'], {
            timeoutMs: 10_000,
          });
        }
      }
    },
    plug: (guest, network) => firewall.add({ id: guest.id, uuid: guest.uuid, network }),
    refreshFirewall: uuids => firewall.refresh(uuids),

    async resources() {
      const node = await libvirt.nodeInfo();
      const version = await libvirt.version();
      const space = await statfs(instancesPath);
      const gigabytes = (blocks: number) => Math.floor((blocks * space.bsize) / 1024 ** 3);
      return {
        vcpus: node.cpus,
        memory_mb: Math.floor(node.memory / 1024),
        local_gb: gigabytes(space.blocks),
        vcpus_used: 0,
        memory_mb_used: 0,
        local_gb_used: gigabytes(space.blocks - space.bavail),
        hypervisor_type: 'QEMU',
        hypervisor_version: version,
        hypervisor_hostname: await libvirt.hostname(),
        cpu_info: JSON.stringify({
          arch: 'x86_64',
          model: node.model,
          topology: { sockets: node.sockets, cores: node.cores, threads: node.threads },
        }),
        disk_available_least: gigabytes(space.bavail),
      };
    },
    async hostStats() {
      const node = await libvirt.nodeInfo();
      const space = await statfs(instancesPath);
      const gigabytes = (blocks: number) => Math.floor((blocks * space.bsize) / 1024 ** 3);
      return {
        vcpus: node.cpus,
        vcpus_used: 0,
        cpu_info: { arch: 'x86_64', model: node.model },
        disk_total: gigabytes(space.blocks),
        disk_used: gigabytes(space.blocks - space.bavail),
        disk_available: gigabytes(space.bavail),
        host_memory_total: Math.floor(node.memory / 1024),
        host_memory_free: Math.floor((await libvirt.freeMemory()) / 1024 ** 2),
        hypervisor_type: 'QEMU',
        hypervisor_version: await libvirt.version(),
        hypervisor_hostname: await libvirt.hostname(),
      };
    },
    hostAddress: () => settings.my_ip,
    async hostUptime() {
      const seconds = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
      const load = (await readFile('/proc/loadavg', 'utf8')).split(' ').slice(0, 3).join(', ');
      const time = new Date(world.clock.now()).toISOString().slice(11, 19);
      const hours = Math.floor((seconds % 86_400) / 3600);
      const minutes = String(Math.floor((seconds % 3600) / 60)).padStart(2, '0');
      return ` ${time} up ${Math.floor(seconds / 86_400)} days, ${hours}:${minutes},  0 users,  load average: ${load}\n`;
    },

    async manageImageCache(inUse) {
      if (!settings.remove_unused_base_images) return;
      const names = new Set([...inUse].map(cacheName));
      const removed = await cache.sweep(names, settings.remove_unused_original_minimum_age_seconds * 1000);
      if (removed.length > 0) log.info('removed cached images', { removed });
    },

    async removeFromHost() {
      const prefix = settings.instance_name_template.split('%')[0] ?? 'instance-';
      for (const name of await libvirt.list()) {
        const mine = name.startsWith(prefix) && (await libvirt.xml(name)).includes(`${instancesPath}/`);
        if (!mine) continue;
        await ifThere(libvirt.destroy(name));
        await ifThere(libvirt.undefine(name));
      }
      await firewall.removeAll();
      await rm(instancesPath, { recursive: true, force: true });
    },
  };
}
