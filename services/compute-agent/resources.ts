import { coalesced, type Logger, type Metrics, metricsOf, mutex, type Timer, type World } from '@folsom/core';
import { type Database, prepared } from '@folsom/db';
import { reportComputeNode } from '@folsom/nova/compute-node-report';
import { claimForHost } from '@folsom/nova/instance-claims';
import type { ComputeDriver, Guest } from './driver.ts';
import { computeFault } from './faults.ts';
import { computeMetrics } from './metrics.ts';
import type { ComputeSettings } from './settings.ts';

/** Most a host may promise; a missing one is not limited. */
export interface ClaimLimits {
  memory_mb?: number;
  disk_gb?: number;
  vcpu?: number;
}

/**
 * What this host's instances take. It is always counted from the instances the database places here, never kept in
 * step by hand, so nothing can drift and a crash leaves no claim behind.
 */
export interface Resources {
  /**
   * Places an instance that waits for a host on this one if it fits. False: somebody has it already.
   *
   * @throws Fault `ComputeResourcesUnavailable`
   */
  claim(guest: Guest, limits: ClaimLimits): Promise<boolean>;
  /** Writes what is taken to `compute_nodes`, soon. Cheap to call often. */
  changed(): void;
  /** Writes it now. */
  report(): Promise<void>;
  /** Writes what is still to be written soon, now. */
  stop(): Promise<void>;
}

/**
 * Changes of so many milliseconds are written as one: the scheduler knows itself what it has placed, and a hundred boots a second would
 * have the host counted a hundred times.
 */
const REPORT_PAUSE_MS = 200;

interface Taken {
  memory_mb: number;
  disk_gb: number;
  vcpus: number;
  instances: number;
}

const takenOn = prepared(
  (sql, host: string) =>
    sql('instances')
      .where({ host, deleted: 0 })
      .first(
        sql.raw('coalesce(sum(memory_mb), 0) as memory_mb'),
        sql.raw('coalesce(sum(root_gb), 0) + coalesce(sum(ephemeral_gb), 0) as disk_gb'),
        sql.raw('coalesce(sum(vcpus), 0) as vcpus'),
        sql.raw('count(*) as instances'),
      ) as PromiseLike<Record<keyof Taken, number | string>>,
);

export function resources(options: {
  db: Database;
  driver: ComputeDriver;
  settings: ComputeSettings;
  host: string;
  world: World;
  log: Logger;
}): Resources {
  const { db, driver, settings, host, world, log } = options;
  const oneByOne = mutex();
  const metrics = metricsOf(world);
  metrics.declare(computeMetrics);
  let known: Reported | undefined;
  const tell = (total: Reported['total'], used: Taken): void => {
    if (known === undefined) readHost(metrics, host, () => known);
    known = { total, used };
  };

  const taken = async (): Promise<Taken> => {
    const row = await takenOn(db.knex, host);
    return {
      memory_mb: Number(row.memory_mb) + settings.reserved_host_memory_mb,
      disk_gb: Number(row.disk_gb) + Math.floor(settings.reserved_host_disk_mb / 1024),
      vcpus: Number(row.vcpus),
      instances: Number(row.instances),
    };
  };

  /** Monotonic; when the last report was begun. */
  let reported = Number.NEGATIVE_INFINITY;
  let due: Timer | undefined;
  const report = coalesced(async () => {
    reported = world.clock.monotonic();
    const total = await driver.resources();
    const used = await taken();
    tell(total, used);
    await reportComputeNode(
      db,
      {
        host,
        zone: settings.node_availability_zone,
        columns: {
          vcpus: total.vcpus,
          memory_mb: total.memory_mb,
          local_gb: total.local_gb,
          vcpus_used: used.vcpus,
          memory_mb_used: used.memory_mb,
          local_gb_used: used.disk_gb,
          hypervisor_type: total.hypervisor_type,
          hypervisor_version: total.hypervisor_version,
          hypervisor_hostname: total.hypervisor_hostname,
          cpu_info: total.cpu_info,
          disk_available_least: total.disk_available_least,
          free_ram_mb: total.memory_mb - used.memory_mb,
          free_disk_gb: total.local_gb - used.disk_gb,
          running_vms: used.instances,
        },
      },
      world.clock.now(),
    );
  });

  const write = () => report().catch(error => log.warn('cannot report resources', { error }));

  return {
    claim: (guest, limits) =>
      oneByOne(async () => {
        // What is placed here has been counted.
        if (guest.host !== null) return false;
        const used = await taken();
        const fits = (limit: number | undefined, inUse: number, wanted: number) =>
          limit === undefined || limit === null || wanted <= limit - inUse;
        const enough =
          fits(limits.memory_mb, used.memory_mb, guest.memory_mb) &&
          fits(limits.disk_gb, used.disk_gb, guest.root_gb + guest.ephemeral_gb) &&
          fits(limits.vcpu, used.vcpus, guest.vcpus);
        if (!enough) throw computeFault('ComputeResourcesUnavailable');
        return claimForHost(db.knex, guest.uuid, host, world.clock.now());
      }),
    changed() {
      const pause = reported + REPORT_PAUSE_MS - world.clock.monotonic();
      if (pause <= 0) return void write();
      due ??= world.clock.after(pause, () => {
        due = undefined;
        void write();
      });
    },
    async stop() {
      if (due === undefined) return;
      due.cancel();
      due = undefined;
      await write();
    },
    report,
  };
}

interface Reported {
  total: { memory_mb: number; local_gb: number; vcpus: number };
  used: Taken;
}

/** Tells whoever looks what was last reported: nothing is asked of database or hypervisor for it. */
function readHost(metrics: Metrics, host: string, last: () => Reported | undefined): void {
  const both = (of: (reported: Reported) => [total: number, used: number]) => () => {
    const reported = last();
    if (reported === undefined) return [];
    const [total, used] = of(reported);
    return [
      [[host, 'total'], total],
      [[host, 'used'], used],
    ] as const;
  };
  metrics.read(computeMetrics.instances, () => [[[host], last()?.used.instances ?? 0]]);
  metrics.read(
    computeMetrics.memory,
    both(({ total, used }) => [total.memory_mb * 2 ** 20, used.memory_mb * 2 ** 20]),
  );
  metrics.read(
    computeMetrics.disk,
    both(({ total, used }) => [total.local_gb * 2 ** 30, used.disk_gb * 2 ** 30]),
  );
  metrics.read(
    computeMetrics.cpus,
    both(({ total, used }) => [total.vcpus, used.vcpus]),
  );
}
