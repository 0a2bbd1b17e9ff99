import type { RequestContext } from '@folsom/core';
import { type FlavorRow, flavorsByIds } from '@folsom/nova/flavors';
import { instancesActiveBetween } from '@folsom/nova/instance-usage';
import type { InstanceRow } from '@folsom/nova/instances';
import { groupBy, wireTime } from '@folsom/nova/rows';
import type { Deps } from './deps.ts';
import { authorize } from './policy.ts';

const HOUR_MS = 3_600_000;

/** Milliseconds since the epoch; what is open begins or ends now. */
export interface Period {
  start: number | undefined;
  stop: number | undefined;
}

export interface ServerUsage {
  instance_id: string;
  name: string | null;
  hours: number;
  memory_mb: number;
  local_gb: number;
  vcpus: number;
  tenant_id: string | null;
  flavor: string;
  started_at: string | null;
  ended_at: string | null;
  state: string;
  /** Seconds. */
  uptime: number;
}

/** One tenant's; totals are sizes times hours. */
export interface TenantUsage {
  tenant_id: string | null;
  total_local_gb_usage: number;
  total_vcpus_usage: number;
  total_memory_mb_usage: number;
  total_hours: number;
  start: string | null;
  stop: string | null;
  server_usages?: ServerUsage[];
}

/** What each tenant used. */
export const usageOfTenants = (
  deps: Deps,
  _context: RequestContext,
  period: Period,
  detailed: boolean,
): Promise<TenantUsage[]> => usages(deps, period, undefined, detailed);

/** What one tenant used; undefined where that was nothing. @throws Fault `PolicyNotAuthorized` */
export async function usageOfTenant(
  deps: Deps,
  context: RequestContext,
  period: Period,
  tenant: string,
): Promise<TenantUsage | undefined> {
  authorize(deps, context, 'compute_extension:simple_tenant_usage:show', { project_id: tenant });
  const [usage] = await usages(deps, period, tenant, true);
  return usage;
}

/** One entry a tenant; flavors that are gone cannot be billed. */
async function usages(
  deps: Deps,
  period: Period,
  tenant: string | undefined,
  detailed: boolean,
): Promise<TenantUsage[]> {
  const now = deps.clock.now();
  const span = { start: period.start ?? now, stop: Math.min(period.stop ?? now, now) };
  const instances = await instancesActiveBetween(deps.db.knex, span.start, span.stop, tenant);
  const ids = new Set(instances.flatMap(item => item.instance_type_id ?? []));
  const flavors = await flavorsByIds(deps.db.knex, [...ids]);
  const billed = instances.flatMap(instance => {
    const flavor = flavors.get(instance.instance_type_id ?? -1);
    return flavor ? [serverUsage(instance, flavor, hoursIn(span, instance), now)] : [];
  });
  return [...groupBy(billed, usage => usage.tenant_id)].map(([tenantId, servers]) => {
    const total = (of: (usage: ServerUsage) => number) =>
      servers.reduce((sum, usage) => sum + of(usage) * usage.hours, 0);
    return {
      tenant_id: tenantId,
      total_local_gb_usage: total(usage => usage.local_gb),
      total_vcpus_usage: total(usage => usage.vcpus),
      total_memory_mb_usage: total(usage => usage.memory_mb),
      total_hours: total(() => 1),
      start: wireTime(span.start),
      stop: wireTime(span.stop),
      ...(detailed ? { server_usages: servers } : {}),
    };
  });
}

function hoursIn(
  { start, stop }: { start: number; stop: number },
  { launched_at, terminated_at }: InstanceRow,
): number {
  if (launched_at === null || launched_at > stop) return 0;
  if (terminated_at !== null && terminated_at < start) return 0;
  const until = terminated_at === null ? stop : Math.min(stop, terminated_at);
  return Math.max(0, until - Math.max(launched_at, start)) / HOUR_MS;
}

function serverUsage(instance: InstanceRow, flavor: FlavorRow, hours: number, now: number): ServerUsage {
  const { launched_at: launched, terminated_at: terminated } = instance;
  const ended = terminated ?? now;
  return {
    instance_id: instance.uuid,
    name: instance.display_name,
    hours,
    memory_mb: flavor.memory_mb,
    local_gb: flavor.root_gb + flavor.ephemeral_gb,
    vcpus: flavor.vcpus,
    tenant_id: instance.project_id,
    flavor: flavor.name,
    started_at: wireTime(launched),
    ended_at: wireTime(terminated),
    state: terminated === null ? instance.vm_state : 'terminated',
    uptime: launched === null ? 0 : Math.max(0, Math.floor((ended - launched) / 1000)),
  };
}
