import { hostTables } from './nova-host-tables.ts';
import { instanceTables } from './nova-instance-tables.ts';
import { networkTables } from './nova-network-tables.ts';
import { ownTables } from './nova-own-tables.ts';
import { projectTables } from './nova-project-tables.ts';
import { volumeTables } from './nova-volume-tables.ts';
import type { Schema } from './table.ts';

/** The five flavors of a new database, with the ids the original gives them. */
const FLAVORS = [
  { id: 1, name: 'm1.medium', flavorid: '3', memory_mb: 4096, vcpus: 2, root_gb: 40 },
  { id: 2, name: 'm1.tiny', flavorid: '1', memory_mb: 512, vcpus: 1, root_gb: 0 },
  { id: 3, name: 'm1.large', flavorid: '4', memory_mb: 8192, vcpus: 4, root_gb: 80 },
  { id: 4, name: 'm1.xlarge', flavorid: '5', memory_mb: 16384, vcpus: 8, root_gb: 160 },
  { id: 5, name: 'm1.small', flavorid: '2', memory_mb: 2048, vcpus: 1, root_gb: 20 },
].map(flavor => ({
  ...flavor,
  ephemeral_gb: 0,
  swap: 0,
  rxtx_factor: 1,
  vcpu_weight: null,
  disabled: 0,
  is_public: 1,
  created_at: null,
  updated_at: null,
  deleted_at: null,
  deleted: 0,
}));

export const novaSchema: Schema = {
  repositoryId: 'nova',
  version: 133,
  oldestVersion: 133,
  // Referenced tables first.
  tables: [...instanceTables, ...hostTables, ...networkTables, ...projectTables, ...volumeTables],
  seed: [{ table: 'instance_types', rows: FLAVORS }],
  upgrades: [],
  extraTables: ownTables,
  extraIndexes: {
    instances: {
      folsom_instances_project_created: ['project_id', 'deleted', 'created_at', 'id'],
      folsom_instances_created: ['deleted', 'created_at', 'id'],
      folsom_instances_updated: ['updated_at'],
      folsom_instances_user: ['user_id', 'deleted'],
      folsom_instances_image: ['image_ref', 'deleted'],
      folsom_instances_flavor: ['instance_type_id', 'deleted'],
      folsom_instances_vm_state: ['vm_state', 'deleted'],
      folsom_instances_name: ['display_name', 'deleted'],
      folsom_instances_key_name: ['key_name', 'deleted'],
    },
    instance_types: {
      folsom_instance_types_flavorid: ['flavorid', 'deleted'],
      folsom_instance_types_name: ['name', 'deleted'],
    },
    instance_type_projects: { folsom_instance_type_projects_project: ['project_id', 'deleted'] },
    migrations: {
      folsom_migrations_instance: ['instance_uuid', 'status'],
      folsom_migrations_source: ['source_compute', 'status'],
      folsom_migrations_dest: ['dest_compute', 'status'],
    },
    services: {
      folsom_services_host_binary: ['host', 'binary', 'deleted'],
      folsom_services_topic: ['topic', 'deleted', 'disabled'],
    },
    compute_nodes: { folsom_compute_nodes_service: ['service_id', 'deleted'] },
    compute_node_stats: { folsom_compute_node_stats_key: ['compute_node_id', 'key'] },
    aggregate_hosts: { folsom_aggregate_hosts_host: ['host', 'deleted'] },
    networks: { folsom_networks_cidr: ['cidr', 'deleted'] },
    floating_ips: { folsom_floating_ips_address: ['address', 'deleted'] },
    security_groups: { folsom_security_groups_project: ['project_id', 'deleted', 'name'] },
    quotas: { folsom_quotas_project: ['project_id', 'deleted', 'resource'] },
    quota_usages: { folsom_quota_usages_project: ['project_id', 'resource'] },
    reservations: {
      folsom_reservations_uuid: ['uuid'],
      folsom_reservations_expire: ['expire', 'deleted'],
    },
    s3_images: { folsom_s3_images_uuid: ['uuid'] },
    volumes: {
      folsom_volumes_project: ['project_id', 'deleted', 'created_at'],
      folsom_volumes_host: ['host', 'deleted'],
      folsom_volumes_status: ['status', 'deleted'],
    },
    volume_id_mappings: { folsom_volume_id_mappings_uuid: ['uuid'] },
    snapshots: {
      folsom_snapshots_project: ['project_id', 'deleted', 'created_at'],
      folsom_snapshots_volume: ['volume_id', 'deleted'],
    },
    snapshot_id_mappings: { folsom_snapshot_id_mappings_uuid: ['uuid'] },
    console_pools: { folsom_console_pools_host: ['host', 'console_type', 'compute_host'] },
    consoles: { folsom_consoles_pool: ['pool_id', 'instance_uuid'] },
  },
  syncCommand: 'nova-manage db sync',
};
