import { inBatches, insertReturningId, type RowOf, toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, fromRow, groupBy, type RowBase, type Sql } from './rows.ts';
import { type ServiceRow, serviceFrom } from './services.ts';

/** What a hypervisor has and what of it is taken. Memory in MB, disk in GB. */
export interface ComputeNodeValues {
  vcpus: number;
  memory_mb: number;
  local_gb: number;
  vcpus_used: number;
  memory_mb_used: number;
  local_gb_used: number;
  hypervisor_type: string;
  hypervisor_version: number;
  hypervisor_hostname: string | null;
  /** JSON text. */
  cpu_info: string;
  disk_available_least: number | null;
  free_ram_mb: number | null;
  free_disk_gb: number | null;
  current_workload: number | null;
  running_vms: number | null;
}

export interface ComputeNodeRow extends RowBase, ComputeNodeValues {
  id: number;
  service_id: number;
}

/** With its service and its statistics (`num_instances`, `io_workload`, `num_vm_active` ...). */
export interface ComputeNode extends ComputeNodeRow {
  service: ServiceRow | null;
  stats: Record<string, string>;
}

type Raw = RowOf<'compute_nodes'>;
const spec = columns();
const nodeFrom = (raw: Raw): ComputeNodeRow => fromRow<ComputeNodeRow>(spec, raw);

/** Adds services and statistics: one query a table. */
async function complete(sql: Sql, rows: readonly ComputeNodeRow[]): Promise<ComputeNode[]> {
  if (rows.length === 0) return [];
  const services = new Map(
    (
      await inBatches([...new Set(rows.map(row => row.service_id))], ids =>
        sql('services').where(alive).where({ topic: 'compute' }).whereIn('id', ids),
      )
    )
      .map(serviceFrom)
      .map(service => [service.id, service]),
  );
  const stats = groupBy(
    (await inBatches(
      rows.map(row => row.id),
      ids => sql('compute_node_stats').where(alive).whereIn('compute_node_id', ids),
    )) as { compute_node_id: number; key: string; value: string }[],
    row => row.compute_node_id,
  );
  return rows.map(row => ({
    ...row,
    service: services.get(row.service_id) ?? null,
    stats: Object.fromEntries((stats.get(row.id) ?? []).map(({ key, value }) => [key, value])),
  }));
}

export async function listComputeNodes(sql: Sql): Promise<ComputeNode[]> {
  const raws = await sql('compute_nodes').where(alive).orderBy('id');
  return complete(sql, raws.map(nodeFrom));
}

/** @throws Fault `ComputeHostNotFound` */
export async function computeNodeById(sql: Sql, id: number): Promise<ComputeNode> {
  const raws = await sql('compute_nodes').where({ ...alive, id });
  const [node] = await complete(sql, raws.map(nodeFrom));
  if (!node) throw novaFault('ComputeHostNotFound', { host: id });
  return node;
}

/** The node of the nova-compute on a host. @throws Fault `ComputeHostNotFound` */
export async function computeNodeByHost(sql: Sql, host: string): Promise<ComputeNode> {
  const raws = await sql('compute_nodes')
    .where('compute_nodes.deleted', 0)
    .whereIn(
      'service_id',
      sql('services')
        .select('id')
        .where({ ...alive, host, topic: 'compute' }),
    )
    .orderBy('id');
  const [node] = await complete(sql, raws.map(nodeFrom));
  if (!node) throw novaFault('ComputeHostNotFound', { host });
  return node;
}

/** Nodes whose hypervisor_hostname contains the text. */
export async function searchComputeNodes(sql: Sql, match: string): Promise<ComputeNode[]> {
  const escaped = match.replace(/[\\%_]/g, found => `\\${found}`);
  const raws = await sql('compute_nodes')
    .where(alive)
    .whereRaw("hypervisor_hostname LIKE ? ESCAPE '\\\\'".replace('\\\\', likeEscape(sql)), [`%${escaped}%`])
    .orderBy('id');
  return complete(sql, raws.map(nodeFrom));
}

/** MySQL reads a backslash in a literal as an escape of its own. */
const likeEscape = (sql: Sql): string =>
  (sql.client as { config: { client: unknown } }).config.client === 'mysql2' ? '\\\\' : '\\';

export async function createComputeNode(
  sql: Sql,
  serviceId: number,
  values: ComputeNodeValues,
  now: number,
): Promise<number> {
  return insertReturningId(sql, 'compute_nodes', {
    ...values,
    service_id: serviceId,
    deleted: 0,
    created_at: toSqlTime(now),
  });
}

export async function updateComputeNode(
  sql: Sql,
  id: number,
  values: Partial<ComputeNodeValues>,
  now: number,
): Promise<void> {
  await sql('compute_nodes')
    .where({ id })
    .update({ ...values, updated_at: toSqlTime(now) });
}

/** Makes the node's statistics exactly these. */
export async function replaceComputeNodeStats(
  sql: Sql,
  nodeId: number,
  stats: Readonly<Record<string, string | number>>,
  now: number,
): Promise<void> {
  const table = 'compute_node_stats';
  const rows = (await sql(table).where({ ...alive, compute_node_id: nodeId })) as {
    id: number;
    key: string;
    value: string;
  }[];
  const time = toSqlTime(now);
  const known = new Set<string>();
  const gone: number[] = [];
  for (const row of rows) {
    const value = stats[row.key];
    if (value === undefined || known.has(row.key)) gone.push(row.id);
    else if (String(value) !== row.value) {
      await sql(table)
        .where({ id: row.id })
        .update({ value: String(value), updated_at: time });
    }
    known.add(row.key);
  }
  if (gone.length > 0) await sql(table).whereIn('id', gone).update({ deleted: 1, deleted_at: time });
  const added = Object.entries(stats).filter(([key]) => !known.has(key));
  if (added.length > 0) {
    await sql(table).insert(
      added.map(([key, value]) => ({
        compute_node_id: nodeId,
        key,
        value: String(value),
        deleted: 0,
        created_at: time,
      })),
    );
  }
}

/** What is counted of a hypervisor, and can be summed up over all. */
export const COUNTED = [
  'vcpus',
  'memory_mb',
  'local_gb',
  'vcpus_used',
  'memory_mb_used',
  'local_gb_used',
  'free_ram_mb',
  'free_disk_gb',
  'current_workload',
  'running_vms',
  'disk_available_least',
] as const;

export type ComputeNodeStatistics = Record<(typeof COUNTED)[number] | 'count', number>;

/** Sums over all hypervisors. */
export async function computeNodeStatistics(sql: Sql): Promise<ComputeNodeStatistics> {
  const query = sql('compute_nodes').where(alive).count({ count: 'id' });
  for (const name of COUNTED) query.sum({ [name]: name });
  const row: Readonly<Record<string, unknown>> = (await query.first()) ?? {};
  const out = { count: Number(row.count ?? 0) } as ComputeNodeStatistics;
  for (const name of COUNTED) out[name] = Number(row[name] ?? 0);
  return out;
}
