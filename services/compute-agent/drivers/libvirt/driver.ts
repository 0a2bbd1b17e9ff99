import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { confinement } from '@folsom/host/confined';
import { hostRunner, type Runner } from '@folsom/host/runner';
import type { ImageClient } from '@folsom/nova/image-transfer';
import { powerState, taskState } from '@folsom/nova/instance-state';
import { CONSOLE_CHARS_MAX } from '../../console.ts';
import type { ComputeDriver, Guest, Volumes } from '../../driver.ts';
import { computeFault } from '../../faults.ts';
import type { ComputeSettings } from '../../settings.ts';
import { baseFilters } from './base-filters.ts';
import { countCards, repairCards } from './cards.ts';
import { configDrive } from './config-drive.ts';
import { libvirtConnection } from './connection.ts';
import { diskRules } from './disk-rules.ts';
import { vncPort } from './domain-xml.ts';
import { guestDomains, type HostTraits, ifThere, powerOf } from './domains.ts';
import { filterDuties, filtered, filtersGuests } from './firewall.ts';
import { hostFirewall } from './guest-bridges.ts';
import { basesInUse, makeGuestFiles, readDiskInfo, rootTarget, tailOf } from './guest-files.ts';
import { hostFacts } from './host-facts.ts';
import { imageCache } from './image-cache.ts';
import { injectionOf } from './injection.ts';
import { liveMigration } from './live-migration.ts';
import { moving } from './moving.ts';
import { rescuing } from './rescue.ts';
import { snapshotGuest } from './snapshot.ts';
import { LibvirtError } from './threads.ts';
import { volumesOfHost } from './volumes/volumes.ts';

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

/**
 * Whether this machine's processors can run guests themselves. /dev/kvm and libvirt's capabilities may be there
 * without it, on hosts that are guests themselves: a domain then starts and never gets anywhere.
 */
const canVirtualise = (cpuInfo: string): boolean => /^flags\s*:.*\b(vmx|svm)\b/m.test(cpuInfo);

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

/** What the driver stands on: libvirt, the image cache, the packet filter. */
function groundOf({ settings, db, images, world, runner = hostRunner }: LibvirtDriverOptions) {
  const log = world.log.child({ service: 'nova-compute', driver: 'libvirt' });
  const libvirt = libvirtConnection({
    uri: settings.libvirt_uri || 'qemu:///system',
    host: settings.host,
    clock: world.clock,
    log,
  });
  const cache = imageCache({
    directory: join(settings.instances_path, settings.base_dir_name),
    sizeless: {
      virtualGigabytes: settings.max_image_virtual_size_gb,
      expansion: settings.max_image_expansion,
    },
    images,
    clock: world.clock,
    random: world.random,
    log,
  });
  const filters = filtersGuests(settings.firewall_driver);
  const firewall = hostFirewall({ settings, db, runner, log, filters });
  return { log, libvirt, cache, filters, firewall, runner };
}

/** libvirt's filters, as soon as it answers: no guest is started before it is known whether there are any. */
function preparing(
  { libvirt, filters, log }: ReturnType<typeof groundOf>,
  ipv6: boolean,
  traits: HostTraits,
) {
  let prepared = false;
  return async (): Promise<void> => {
    if (prepared || !filters) return;
    try {
      await libvirt.version();
      for (const filter of baseFilters(ipv6)) await libvirt.defineFilter(filter);
      traits.filters = { ipv6 };
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
      log.warn('no network filters on this host; guests could use addresses of others', { error });
    }
    prepared = true;
  };
}

/** Whether guests run on this machine's processors; says what is weaker here than elsewhere. */
async function hypervisorOf(
  { settings, cpuInfo: read }: LibvirtDriverOptions,
  log: World['log'],
): Promise<HostTraits['type']> {
  const cpuInfo = await (read ?? (() => readFile('/proc/cpuinfo', 'utf8')))();
  const type = settings.libvirt_type === 'kvm' && canVirtualise(cpuInfo) ? 'kvm' : 'qemu';
  if (settings.libvirt_type === 'kvm' && type === 'qemu') {
    log.warn('this machine cannot run guests on its own processors; they are emulated and slow');
  }
  const kept = await confinement();
  if (kept.kind === 'limited') {
    log.warn('image tools run without namespaces here; only limits and the inspection of images hold them', {
      reason: kept.reason,
    });
  }
  return type;
}

/** The driver's parts, each on what it needs of the others. */
function partsOf(options: LibvirtDriverOptions) {
  const { settings, world } = options;
  const instancesPath = settings.instances_path;
  const ground = groundOf(options);
  const { log, libvirt, cache, firewall, runner } = ground;
  const traits: HostTraits = { type: 'qemu', filters: null, asRoot: false };
  const rules = diskRules(settings);
  const { prefix } = rules;
  const making = { cache, rules, injection: injectionOf(settings, world.random) };
  const prepare = preparing(ground, settings.use_ipv6, traits);
  const { clock, random } = world;
  const volumes = volumesOfHost({ libvirt, settings, prefix, runner, clock, log });
  const domains = guestDomains({ libvirt, firewall, settings, traits, prefix, volumes, prepare, clock, log });
  const facts = hostFacts({ libvirt, instancesPath, clock });
  const moves = moving({ domains, volumes, firewall, settings });
  const live = liveMigration({
    libvirt,
    domains,
    volumes,
    firewall,
    cache,
    facts,
    settings,
    prefix,
    random,
    clock,
  });
  return { ...ground, traits, rules, making, prepare, volumes, domains, facts, moves, live };
}

/** Takes all that is a guest's off this host. */
async function remove(
  { domains, volumes, firewall }: ReturnType<typeof partsOf>,
  guest: Guest,
  attached: Volumes,
): Promise<void> {
  await domains.undefine(guest);
  for (const volume of attached) await volumes.disconnect(volume);
  await firewall.remove(guest);
  await rm(domains.folderOf(guest), { recursive: true, force: true });
  // While a resize is taken back, the old disks beside the new ones are what the guest goes on with.
  if (guest.task_state !== taskState.resizeReverting) {
    await rm(`${domains.folderOf(guest)}_resize`, { recursive: true, force: true });
  }
}

const notHere = async (): Promise<never> => {
  throw computeFault('NotImplementedError');
};

export function libvirtDriver(options: LibvirtDriverOptions): ComputeDriver {
  const { settings, world } = options;
  const instancesPath = settings.instances_path;
  const parts = partsOf(options);
  const { log, libvirt, cache, firewall, runner, traits, rules, making } = parts;
  const { prepare, volumes, domains, facts, moves, live } = parts;
  const { prefix } = rules;
  const { folderOf } = domains;

  return {
    name: 'libvirt',
    reportsPowerState: true,
    rootDevice: `/dev/${rootTarget(prefix)}`,

    async init(guests) {
      await mkdir(join(instancesPath, settings.base_dir_name), { recursive: true, mode: 0o711 });
      traits.asRoot = !(await othersMayEnter(instancesPath));
      traits.type = await hypervisorOf(options, log);
      await firewall.adopt(guests.map(filtered));
      await prepare().catch(error => log.error('libvirt is not there yet', { error }));
    },
    close: () => libvirt.close(),
    listGuests: () => libvirt.list(),

    async info(guest) {
      const info = await libvirt.info(guest.name);
      return {
        state: powerOf(info.state),
        maxMemoryKb: info.maxMem,
        memoryKb: info.memory,
        vcpus: info.nrVirtCpu,
        cpuTimeNs: info.cpuTime,
      };
    },

    async spawn(request, step) {
      await step?.('files');
      const folder = folderOf(request.guest);
      const drive = await configDrive(options.db, settings, request, world.clock.now());
      const files = await makeGuestFiles(request, { ...making, folder, configDrive: drive });
      request.signal.throwIfAborted();
      await step?.('start');
      await domains.defineAndStart(request.guest, files, request.network, request.volumes);
    },

    destroy: (guest, _network, attached) => remove(parts, guest, attached),

    async reboot(guest, network, reboot, attached) {
      const soft =
        reboot === 'SOFT' && (await domains.exists(guest)) && (await domains.softReboot(guest, attached));
      if (!soft) await domains.hardReboot(guest, network, attached);
    },
    powerOff: guest => domains.stop(guest),
    async powerOn(guest, network, attached) {
      if (!(await domains.exists(guest))) return domains.hardReboot(guest, network, attached);
      await firewall.add({ id: guest.id, uuid: guest.uuid, network });
      await domains.start(guest, attached);
    },
    async pause(guest) {
      if ((await domains.stateOf(guest)) !== powerState.paused) await libvirt.suspend(guest.name);
    },
    async unpause(guest) {
      if ((await domains.stateOf(guest)) === powerState.paused) await libvirt.resume(guest.name);
    },
    async suspend(guest) {
      if ((await domains.stateOf(guest)) === powerState.running) await libvirt.managedSave(guest.name);
    },
    async resume(guest, network, attached) {
      await firewall.add({ id: guest.id, uuid: guest.uuid, network });
      await domains.start(guest, attached);
      // Its saved memory knows nothing of what came meanwhile.
      for (const volume of attached) await volumes.plug(guest, volume);
    },

    ...rescuing({ libvirt, domains, making, settings }),

    snapshot: (context, guest, imageId, client, signal) =>
      snapshotGuest(
        {
          libvirt,
          domains,
          random: world.random,
          snapshotsDirectory: settings.libvirt_snapshots_directory,
          format: rules.snapshots,
        },
        { context, guest, imageId, images: client, signal },
      ),

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

    cardCounters: guest => countCards(libvirt, guest.name),

    migrateDiskAndPowerOff: (request, destination) => moves.away(request, destination),
    finishMigration: request => moves.arrive(request),
    finishRevertMigration: request => moves.comeBack(request),
    confirmMigration: guest => moves.forget(guest),
    ...live,

    ...volumes.duties,

    repairCards: () => repairCards(libvirt, runner, log),
    ...filterDuties(firewall),

    resources: facts.resources,
    hostStats: facts.stats,
    hostAddress: () => settings.my_ip,
    hostUptime: facts.uptime,
    hostPowerAction: notHere,
    hostMaintenanceMode: notHere,

    async manageImageCache(inUse) {
      if (!settings.remove_unused_base_images) return;
      const removed = await cache.sweep(
        { images: inUse, standing: await basesInUse(instancesPath, settings.base_dir_name) },
        {
          original: settings.remove_unused_original_minimum_age_seconds * 1000,
          grown: settings.remove_unused_resized_minimum_age_seconds * 1000,
        },
      );
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
