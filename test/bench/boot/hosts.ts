import { type Database, insertRows, toSqlTime } from '@folsom/db';

export const hostName = (at: number): string => `node${at}`;

/** Hosts with their nova-compute, as after their first report. */
export async function addHosts(db: Database, count: number): Promise<void> {
  const now = toSqlTime(Date.now());
  const row = { created_at: now, updated_at: now, deleted: 0 };
  const all = [...Array(count).keys()];
  await insertRows(
    db.knex,
    'services',
    all.map(at => ({
      ...row,
      id: at + 1,
      host: hostName(at),
      binary: 'nova-compute',
      topic: 'compute',
      report_count: 1,
      disabled: 0,
      availability_zone: 'nova',
    })),
  );
  await insertRows(
    db.knex,
    'compute_nodes',
    all.map(at => ({
      ...row,
      service_id: at + 1,
      vcpus: 64,
      memory_mb: 1_000_000,
      local_gb: 10_000,
      vcpus_used: 0,
      memory_mb_used: 0,
      local_gb_used: 0,
      hypervisor_type: 'fake',
      hypervisor_version: 1,
      hypervisor_hostname: hostName(at),
      cpu_info: '{}',
      free_ram_mb: 1_000_000 - at,
      free_disk_gb: 10_000,
      current_workload: 0,
      running_vms: 0,
    })),
  );
}
