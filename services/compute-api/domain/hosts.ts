import { isFault, type RequestContext } from '@folsom/core';
import { computeNodeByHost } from '@folsom/nova/compute-nodes';
import { type InstanceRow, instancesOnHost } from '@folsom/nova/instances';
import { groupBy } from '@folsom/nova/rows';
import { listServices, type ServiceRow, serviceIsUp } from '@folsom/nova/services';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { adminOnly } from './policy.ts';

/** The daemons that are enabled, with their hosts. */
export const enabledServices = (deps: Deps, _context: RequestContext): Promise<ServiceRow[]> =>
  listServices(deps.db.knex, { disabled: false });

/** A daemon of a host, as the list of zones shows it to administrators. */
export interface ZoneService {
  binary: string;
  up: boolean;
  /** Its last sign of life, milliseconds since the epoch. */
  updated_at: number | null;
}

export interface Zone {
  name: string;
  /** Whether any daemon of it is enabled. */
  available: boolean;
  /** With the enabled daemons of each. */
  hosts: { host: string; services: ZoneService[] }[];
}

/** Zones with their hosts, those first that have an enabled daemon. */
export async function availabilityZones(deps: Deps, _context: RequestContext): Promise<Zone[]> {
  const services = await listServices(deps.db.knex);
  const enabled = services.filter(service => !service.disabled);
  const available = groupBy(enabled, service => service.availability_zone);
  const others = new Set(services.map(service => service.availability_zone));
  const down = deps.config.service_down_time * 1000;
  const shown = (service: ServiceRow): ZoneService => ({
    binary: service.binary,
    up: serviceIsUp(service, deps.clock.now(), down),
    updated_at: service.updated_at,
  });
  const zones: Zone[] = [...available].map(([name, own]) => ({
    name,
    available: true,
    hosts: [...groupBy(own, service => service.host)].map(([host, on]) => ({
      host,
      services: on.map(shown),
    })),
  }));
  for (const name of others) if (!available.has(name)) zones.push({ name, available: false, hosts: [] });
  return zones;
}

/** @throws Fault `HostUnknown` unless some daemon runs there */
export async function mustBeKnown(deps: Deps, _context: RequestContext, host: string): Promise<void> {
  const services = await listServices(deps.db.knex, { host });
  if (services.length === 0) throw computeFault('HostUnknown', { host });
}

/** What is there or used on a host, as a whole or by a project. */
export interface HostUse {
  host: string;
  /** A project's id, or `(total)`, `(used_now)`, `(used_max)`. */
  project: string;
  cpu: number;
  memory_mb: number;
  disk_gb: number;
}

/** For administrators whatever the policy says. @throws Fault `AdminRequired`, `ComputeHostNotFound` */
export async function useOfHost(deps: Deps, context: RequestContext, host: string): Promise<HostUse[]> {
  adminOnly(context);
  const { knex } = deps.db;
  const node = await computeNodeByHost(knex, host);
  const instances = await instancesOnHost(knex, host);
  const total = { cpu: node.vcpus, memory_mb: node.memory_mb, disk_gb: node.local_gb };
  const now = { cpu: node.vcpus_used, memory_mb: node.memory_mb_used, disk_gb: node.local_gb_used };
  const uses: HostUse[] = [
    { host, project: '(total)', ...total },
    { host, project: '(used_now)', ...now },
    useOf(host, '(used_max)', instances),
  ];
  for (const [project, own] of groupBy(instances, instance => instance.project_id)) {
    uses.push(useOf(host, project ?? '', own));
  }
  return uses;
}

const useOf = (host: string, project: string, instances: readonly InstanceRow[]): HostUse => ({
  host,
  project,
  cpu: sum(instances, instance => instance.vcpus ?? 0),
  memory_mb: sum(instances, instance => instance.memory_mb ?? 0),
  disk_gb: sum(instances, instance => (instance.root_gb ?? 0) + (instance.ephemeral_gb ?? 0)),
});

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

export interface HostSettings {
  /** Whether it takes new guests. */
  status?: boolean;
  maintenance_mode?: boolean;
}

/** Asks the host for each setting; answers its own words. @throws Fault `HostUnknown`, `UnexpectedHostAnswer` */
export async function setHost(
  deps: Deps,
  context: RequestContext,
  host: string,
  settings: HostSettings,
): Promise<Partial<Record<keyof HostSettings, string>>> {
  await mustBeKnown(deps, context, host);
  const said: Partial<Record<keyof HostSettings, string>> = {};
  for (const [setting, on] of Object.entries(settings) as [keyof HostSettings, boolean][]) {
    const answer =
      setting === 'status'
        ? await deps.compute.set_host_enabled(context, { enabled: on }, { host })
        : await deps.compute.host_maintenance_mode(context, { host, mode: on }, { host });
    if (answer === null || !GOOD[setting].includes(answer)) {
      throw computeFault('UnexpectedHostAnswer', { answer });
    }
    said[setting] = answer;
  }
  return said;
}

const GOOD: Record<keyof HostSettings, readonly string[]> = {
  status: ['enabled', 'disabled'],
  maintenance_mode: ['on_maintenance', 'off_maintenance'],
};

/** @throws Fault `HostUnknown`, `PowerActionNotImplemented` */
export async function hostPower(
  deps: Deps,
  context: RequestContext,
  host: string,
  action: 'startup' | 'shutdown' | 'reboot',
): Promise<string | null> {
  // A host that nobody knows would not answer before the time for an answer is up.
  await mustBeKnown(deps, context, host);
  try {
    return (await deps.compute.host_power_action(context, { action }, { host })) ?? null;
  } catch (error) {
    if (isFault(error, 'NotImplementedError')) {
      throw computeFault('PowerActionNotImplemented', { reason: error.message });
    }
    throw error;
  }
}
