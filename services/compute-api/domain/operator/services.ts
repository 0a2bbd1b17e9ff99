import { type ComputeNode, computeNodeByHost } from '@folsom/nova/compute-nodes';
import { novaFault } from '@folsom/nova/faults';
import { instancesOnHost } from '@folsom/nova/instances';
import {
  listServices,
  type ServiceRow,
  serviceByHostAndBinary,
  serviceIsUp,
  setServicesDisabled,
} from '@folsom/nova/services';
import type { OperatorDeps } from './deps.ts';

/** Daemons with whether each has given a sign of life of late. */
export async function list(
  { db, clock, config }: OperatorDeps,
  of: { host?: string | undefined; binary?: string | undefined } = {},
): Promise<(ServiceRow & { up: boolean })[]> {
  const { host, binary } = of;
  const services = await listServices(db.knex, { ...(host ? { host } : {}), ...(binary ? { binary } : {}) });
  const [now, downMs] = [clock.now(), config.service_down_time * 1000];
  return services.map(service => ({ ...service, up: serviceIsUp(service, now, downMs) }));
}

/** Hosts with their zones, those of one zone where it is given. */
export async function hosts({ db }: OperatorDeps, zone?: string): Promise<Map<string, string>> {
  const zones = new Map<string, string>();
  for (const { host, availability_zone } of await listServices(db.knex)) {
    if (zone && availability_zone !== zone) continue;
    if (!zones.has(host)) zones.set(host, availability_zone);
  }
  return zones;
}

/** Takes a daemon out of use, or into it again. @throws Fault `HostBinaryNotFound` */
export async function setDisabled(
  { db }: OperatorDeps,
  host: string,
  binary: string,
  disabled: boolean,
): Promise<void> {
  await serviceByHostAndBinary(db.knex, host, binary);
  await setServicesDisabled(db.knex, { host, binary }, disabled);
}

/** Gigabytes of disk, megabytes of memory. */
export interface Use {
  vcpus: number;
  memory: number;
  disk: number;
}

/** A compute host as it reports itself, and what the flavors of its servers promise, in all and by project. */
export interface HostUse {
  node: ComputeNode;
  promised: Use;
  byProject: Map<string | null, Use>;
}

/** @throws Fault `ComputeHostNotFound` */
export async function useOfHost({ db, config }: OperatorDeps, host: string): Promise<HostUse> {
  const [service] = await listServices(db.knex, { host, topic: config.compute_topic });
  if (!service) throw novaFault('ComputeHostNotFound', { host });
  const node = await computeNodeByHost(db.knex, host);
  const byProject = new Map<string | null, Use>();
  const promised = { vcpus: 0, memory: 0, disk: 0 };
  for (const instance of await instancesOnHost(db.knex, host)) {
    const own = byProject.get(instance.project_id) ?? { vcpus: 0, memory: 0, disk: 0 };
    byProject.set(instance.project_id, own);
    for (const total of [own, promised]) {
      total.vcpus += instance.vcpus ?? 0;
      total.memory += instance.memory_mb ?? 0;
      total.disk += (instance.root_gb ?? 0) + (instance.ephemeral_gb ?? 0);
    }
  }
  return { node, promised, byProject };
}
