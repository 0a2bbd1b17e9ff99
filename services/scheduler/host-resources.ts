import type { Database } from '@folsom/db';
import { computeNodeByHost } from '@folsom/nova/compute-nodes';
import { instancesOnHost } from '@folsom/nova/instances';
import type { HostResources } from '@folsom/nova/rpc/scheduler';

/** What a host has, what is taken, and by whom. @throws Fault `ComputeHostNotFound` */
export async function hostResources(db: Database, host: string): Promise<HostResources> {
  const node = await computeNodeByHost(db.knex, host);
  const usage: HostResources['usage'] = {};
  for (const instance of await instancesOnHost(db.knex, host)) {
    const project = instance.project_id ?? '';
    usage[project] ??= { vcpus: 0, memory_mb: 0, root_gb: 0, ephemeral_gb: 0 };
    const sums = usage[project];
    sums.vcpus += instance.vcpus;
    sums.memory_mb += instance.memory_mb;
    sums.root_gb += instance.root_gb;
    sums.ephemeral_gb += instance.ephemeral_gb;
  }
  return {
    resource: {
      vcpus: node.vcpus,
      memory_mb: node.memory_mb,
      local_gb: node.local_gb,
      vcpus_used: node.vcpus_used,
      memory_mb_used: node.memory_mb_used,
      local_gb_used: node.local_gb_used,
    },
    usage,
  };
}
