import type { RequestContext } from '@folsom/core';
import { type Database, fromSqlBool, fromSqlTime, inBatches, type Knex, prepared } from '@folsom/db';
import { listServices, type ServiceRow } from '@folsom/nova/services';
import type { NodeFacts, VolumeFacts } from './facts.ts';

/** Every question the scheduler asks the database; each is one statement, whatever the number of hosts or hints. */
export interface Sources {
  /** All of them, or those with these ids. */
  computeNodes(ids?: readonly number[]): Promise<NodeFacts[]>;
  /** Hosts of those of the instances that the caller may see. */
  hostsOfInstances(context: RequestContext, uuids: readonly string[]): Promise<Set<string>>;
  /** Hosts that run a flavor other than this. */
  hostsWithOtherFlavor(flavorId: number): Promise<Set<string>>;
  /** Metadata of every host's aggregates: host, key, values. */
  aggregateMetadata(): Promise<Map<string, Map<string, Set<string>>>>;
  services(topic: string): Promise<ServiceRow[]>;
  volume(id: string): Promise<VolumeFacts | undefined>;
  /** Gigabytes of volumes on each host. */
  volumeGigabytes(): Promise<Map<string, number>>;
}

export function sqlSources(db: Database): Sources {
  const { knex } = db;
  return {
    async computeNodes(ids) {
      const rows = (
        ids === undefined ? await nodeRows(knex) : await inBatches(ids, batch => nodesWith(knex, batch))
      ) as Record<string, unknown>[];
      const timeOf = timeReader();
      return rows.map(row => ({
        id: Number(row.id),
        service: {
          host: row.host as string,
          disabled: fromSqlBool(row.disabled),
          availability_zone: row.availability_zone as string,
          created_at: timeOf(row.service_created_at),
          updated_at: timeOf(row.service_updated_at),
        },
        vcpus: Number(row.vcpus),
        vcpus_used: Number(row.vcpus_used),
        memory_mb: Number(row.memory_mb),
        free_ram_mb: Number(row.free_ram_mb ?? 0),
        local_gb: Number(row.local_gb),
        local_gb_used: Number(row.local_gb_used),
        free_disk_gb: Number(row.free_disk_gb ?? 0),
        disk_available_least: row.disk_available_least as number | null,
        updated_at: timeOf(row.updated_at),
      }));
    },

    async hostsOfInstances(context, uuids) {
      const rows = await inBatches(uuids, batch => {
        const query = knex('instances').where({ deleted: 0 }).whereIn('uuid', batch).distinct('host');
        if (!context.isAdmin) query.where({ project_id: context.projectId });
        return query as unknown as PromiseLike<{ host: string | null }[]>;
      });
      return hostSet(rows);
    },

    async hostsWithOtherFlavor(flavorId) {
      const rows = await knex('instances')
        .where({ deleted: 0 })
        .whereNot({ instance_type_id: flavorId })
        .whereNotNull('host')
        .distinct('host');
      return hostSet(rows);
    },

    async aggregateMetadata() {
      const rows = (await knex('aggregate_hosts')
        .join('aggregate_metadata', 'aggregate_metadata.aggregate_id', 'aggregate_hosts.aggregate_id')
        .where('aggregate_hosts.deleted', 0)
        .where('aggregate_metadata.deleted', 0)
        .select('aggregate_hosts.host', 'aggregate_metadata.key', 'aggregate_metadata.value')) as {
        host: string;
        key: string;
        value: string;
      }[];
      const byHost = new Map<string, Map<string, Set<string>>>();
      for (const { host, key, value } of rows) {
        const metadata = byHost.get(host) ?? new Map<string, Set<string>>();
        byHost.set(host, metadata.set(key, (metadata.get(key) ?? new Set<string>()).add(value)));
      }
      return byHost;
    },

    services: topic => listServices(knex, { topic, disabled: false }),

    async volume(id) {
      return knex('volumes').where({ deleted: 0, id }).first('id', 'size', 'availability_zone');
    },

    async volumeGigabytes() {
      const rows = (await knex('volumes')
        .where({ deleted: 0 })
        .whereNotNull('host')
        .groupBy('host')
        .select('host')
        .sum({ gigabytes: 'size' })) as { host: string; gigabytes: number | string }[];
      return new Map(rows.map(row => [row.host, Number(row.gigabytes)]));
    },
  };
}

const nodeRows = (knex: Knex) =>
  knex('compute_nodes')
    .join('services', 'services.id', 'compute_nodes.service_id')
    .where('compute_nodes.deleted', 0)
    .where('services.deleted', 0)
    .orderBy('compute_nodes.id')
    .select(
      'compute_nodes.id',
      'compute_nodes.vcpus',
      'compute_nodes.vcpus_used',
      'compute_nodes.memory_mb',
      'compute_nodes.free_ram_mb',
      'compute_nodes.local_gb',
      'compute_nodes.local_gb_used',
      'compute_nodes.free_disk_gb',
      'compute_nodes.disk_available_least',
      'compute_nodes.updated_at',
      'services.host',
      'services.disabled',
      'services.availability_zone',
      'services.created_at as service_created_at',
      'services.updated_at as service_updated_at',
    );

/** Those that were chosen, which is one as a rule. */
const nodesWith = prepared((sql, ids: readonly number[]) =>
  nodeRows(sql).whereIn('compute_nodes.id', [...ids]),
);

const hostSet = (rows: { host: string | null }[]): Set<string> =>
  new Set(rows.map(row => row.host).filter(host => host !== null));

/** Reads times of many rows: hosts report every few seconds, so a thousand rows hold a dozen texts. */
function timeReader(): (value: unknown) => number | null {
  const known = new Map<unknown, number | null>();
  return value => {
    const before = known.get(value);
    if (before !== undefined) return before;
    const time = fromSqlTime(value);
    known.set(value, time);
    return time;
  };
}
