import { must } from '@folsom/core';
import { type Database, prepared, toSqlTime } from '@folsom/db';

/** What a host has and uses, as its hypervisor knows it. */
export interface HypervisorResources {
  vcpus: number;
  memory_mb: number;
  local_gb: number;
  vcpus_used: number;
  memory_mb_used: number;
  local_gb_used: number;
  hypervisor_type: string;
  hypervisor_version: number;
  hypervisor_hostname: string;
  cpu_info: string;
  disk_available_least: number | null;
}

/** Columns of `compute_nodes` that a host reports. */
export interface ComputeNodeReport extends HypervisorResources {
  free_ram_mb: number;
  free_disk_gb: number;
  running_vms: number;
}

/**
 * Writes what a compute host has and uses, with the counts that schedulers' filters read (`compute_node_stats`).
 * Makes the host's service and node records where they do not exist yet.
 */
export async function reportComputeNode(
  db: Database,
  report: { host: string; zone: string; columns: ComputeNodeReport },
  now: number,
): Promise<void> {
  const time = toSqlTime(now);
  const stats = await statsOf(db, report.host);
  const columns = { ...report.columns, current_workload: Number(stats.io_workload ?? 0) };
  await db.transaction(async trx => {
    let service: { id: number } | undefined = await serviceOf(trx, report.host);
    if (service === undefined) {
      const [id] = await trx('services').insert({
        host: report.host,
        binary: 'nova-compute',
        topic: 'compute',
        report_count: 0,
        disabled: 0,
        availability_zone: report.zone,
        deleted: 0,
        created_at: time,
      });
      service = { id: Number(id) };
    }
    const node = await nodeOf(trx, service.id);
    let nodeId = node?.id as number | undefined;
    if (nodeId === undefined) {
      const row = { ...columns, service_id: service.id, deleted: 0, created_at: time };
      [nodeId] = (await trx('compute_nodes').insert(row)) as [number];
    } else {
      await changeNode(trx, nodeId, { ...columns, updated_at: time });
    }
    const present = await statsKept(trx, must(nodeId, 'the node has a row'));
    const known = new Map(present.map(row => [row.key, row]));
    const changed: [id: number, value: string][] = [];
    const added: Record<string, unknown>[] = [];
    for (const [key, value] of Object.entries(stats)) {
      const row = known.get(key);
      known.delete(key);
      if (row === undefined)
        added.push({ compute_node_id: nodeId, key, value, deleted: 0, created_at: time });
      else if (row.value !== value) changed.push([row.id, value]);
    }
    if (added.length > 0) await trx('compute_node_stats').insert(added);
    for (let at = 0; at < changed.length; at += STATS_A_STATEMENT) {
      const part = changed.slice(at, at + STATS_A_STATEMENT);
      await changeStats(trx, part, time);
    }
    const gone = [...known.values()].map(row => row.id);
    if (gone.length > 0) await trx('compute_node_stats').whereIn('id', gone).delete();
  });
}

const STATS_A_STATEMENT = 100;

const serviceOf = prepared((sql, host: string) =>
  sql('services').where({ host, topic: 'compute', deleted: 0 }).first('id'),
);
const nodeOf = prepared((sql, service_id: number) =>
  sql('compute_nodes').where({ service_id, deleted: 0 }).first('id'),
);
const changeNode = prepared((sql, id: number, values: Record<string, unknown>) =>
  sql('compute_nodes').where({ id }).update(values),
);
const statsKept = prepared(
  (sql, compute_node_id: number) =>
    sql('compute_node_stats')
      .where({ compute_node_id, deleted: 0 })
      .select('id', 'key', 'value') as PromiseLike<{ id: number; key: string; value: string }[]>,
);
const changeStats = prepared((sql, stats: [id: number, value: string][], updated_at: string) => {
  const value = sql.raw(`case id ${'when ? then ? '.repeat(stats.length)}end`, stats.flat());
  return sql('compute_node_stats')
    .whereIn(
      'id',
      stats.map(([id]) => id),
    )
    .update({ value, updated_at });
});

/** Tasks during which a guest's disks are busy. */
const IO_TASKS = new Set(['resize_migrating', 'rebuilding', 'resize_prep', 'image_snapshot', 'image_backup']);

const instancesByState = prepared(
  (sql, host: string) =>
    sql('instances')
      .where({ host, deleted: 0 })
      .groupBy('vm_state', 'task_state', 'os_type', 'project_id')
      .select('vm_state', 'task_state', 'os_type', 'project_id')
      .count({ n: '*' })
      .sum({ vcpus: 'vcpus' }) as PromiseLike<Record<string, string | number | null>[]>,
);

/** Folsom's counts by state, task, tenant and system, in one query. */
async function statsOf(db: Database, host: string): Promise<Record<string, string>> {
  const rows = await instancesByState(db.knex, host);
  const counts: Record<string, number> = {};
  const add = (key: string, n: number) => {
    counts[key] = (counts[key] ?? 0) + n;
  };
  for (const row of rows) {
    const n = Number(row.n);
    add('num_instances', n);
    add('num_vcpus_used', Number(row.vcpus));
    add(`num_vm_${row.vm_state ?? 'None'}`, n);
    add(`num_task_${row.task_state ?? 'None'}`, n);
    add(`num_os_type_${row.os_type ?? 'None'}`, n);
    add(`num_proj_${row.project_id ?? 'None'}`, n);
    const busy = row.vm_state === 'building' || IO_TASKS.has(String(row.task_state));
    add('io_workload', busy ? n : 0);
  }
  return Object.fromEntries(Object.entries(counts).map(([key, n]) => [key.slice(0, 255), String(n)]));
}
