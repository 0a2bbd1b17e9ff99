import type { RequestContext, World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { computeNodeByHost } from '@folsom/nova/compute-nodes';
import { novaFault } from '@folsom/nova/faults';
import { powerState } from '@folsom/nova/instance-state';
import { instancesOnHost } from '@folsom/nova/instances';
import { computeContract } from '@folsom/nova/rpc/compute';
import type { InstanceWire } from '@folsom/nova/rpc/wire';
import { listServices, serviceIsUp } from '@folsom/nova/services';
import type { Bus } from '@folsom/rpc';
import { schedulerFault } from './faults.ts';

export interface LiveMigrationSeam {
  db: Database;
  bus: Bus;
  world: World;
  serviceDownTimeMs: number;
}

export interface LiveMigrationArgs {
  instance: InstanceWire;
  dest: string;
  block_migration: boolean;
  disk_over_commit: boolean;
}

/** Checks that a running instance can move to a named host, and sets its host about it. */
export async function liveMigrate(
  seam: LiveMigrationSeam,
  context: RequestContext,
  { instance, dest, block_migration, disk_over_commit }: LiveMigrationArgs,
): Promise<null> {
  if (instance.power_state !== powerState.running) {
    throw novaFault('InstanceNotRunning', { instance_id: instance.uuid });
  }
  const source = instance.host ?? '';
  await requireUp(seam, source);
  await requireUp(seam, dest);
  if (dest === source) throw novaFault('UnableToMigrateToSelf', { instance_id: instance.uuid, host: dest });
  await requireMemory(seam, instance, dest);
  await requireHypervisor(seam, source, dest);
  const compute = computeContract.client(seam.bus);
  const migrate_data = await compute.check_can_live_migrate_destination(
    context,
    { instance, block_migration, disk_over_commit },
    { host: dest },
  );
  await compute.live_migration(context, { instance, dest, block_migration, migrate_data }, { host: source });
  return null;
}

async function requireUp({ db, world, serviceDownTimeMs }: LiveMigrationSeam, host: string): Promise<void> {
  const [service] = await listServices(db.knex, { host, topic: 'compute' });
  if (!service || !serviceIsUp(service, world.clock.now(), serviceDownTimeMs)) {
    throw novaFault('ComputeServiceUnavailable', { host });
  }
}

/** Memory is not promised twice to a guest that runs already. */
async function requireMemory({ db }: LiveMigrationSeam, instance: InstanceWire, dest: string): Promise<void> {
  const { memory_mb } = await nodeOf(db, dest);
  const used = (await instancesOnHost(db.knex, dest)).reduce((sum, other) => sum + other.memory_mb, 0);
  const free = memory_mb - used;
  if (free <= instance.memory_mb) {
    throw schedulerFault('MigrationError', {
      reason: `Unable to migrate ${instance.uuid} to ${dest}: Lack of memory(host:${free} <= instance:${instance.memory_mb})`,
    });
  }
}

async function requireHypervisor({ db }: LiveMigrationSeam, source: string, dest: string): Promise<void> {
  const from = await nodeOf(db, source);
  const to = await nodeOf(db, dest);
  if (from.hypervisor_type !== to.hypervisor_type) throw novaFault('InvalidHypervisorType');
  if (from.hypervisor_version > to.hypervisor_version) throw schedulerFault('DestinationHypervisorTooOld');
}

const nodeOf = (db: Database, host: string) =>
  computeNodeByHost(db.knex, host).catch(() => {
    throw novaFault('ComputeServiceUnavailable', { host });
  });
