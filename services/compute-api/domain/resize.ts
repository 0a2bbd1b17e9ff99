import { elevated, must, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { extraSpecs, type FlavorRow, flavorByFlavorId, flavorsByIds, flavorWire } from '@folsom/nova/flavors';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { checkAction } from '@folsom/nova/instance-state';
import { type MigrationRow, migrationByInstance, updateMigration } from '@folsom/nova/migrations';
import type { Deltas } from '@folsom/nova/quotas';
import { reserve, rollbackReservations } from '@folsom/nova/reservations';
import { begin, type Step, type Tell } from './actions.ts';
import type { Deps } from './deps.ts';
import { targetOf } from './instances.ts';
import { authorize } from './policy.ts';
import { overOf, tooManyInstances } from './quota-checks.ts';

/** What going from one flavor to another adds (`more`) or frees (`less`). */
function deltasOf(to: FlavorRow, from: FlavorRow, which: 'more' | 'less'): Deltas {
  const keep = (delta: number) => (which === 'more' ? delta > 0 : delta < 0);
  const cores = to.vcpus - from.vcpus;
  const ram = to.memory_mb - from.memory_mb;
  return { ...(keep(cores) ? { cores } : {}), ...(keep(ram) ? { ram } : {}) };
}

async function flavorsOf(deps: Deps, migration: MigrationRow): Promise<[from: FlavorRow, to: FlavorRow]> {
  const found = await flavorsByIds(deps.db.knex, [
    migration.old_instance_type_id,
    migration.new_instance_type_id,
  ]);
  return [
    must(found.get(migration.old_instance_type_id), 'found has the key'),
    must(found.get(migration.new_instance_type_id), 'found has the key'),
  ];
}

/** What a confirmed resize to a smaller flavor frees. */
async function downsizeDeltas(deps: Deps, migration: MigrationRow): Promise<Deltas> {
  const [from, to] = await flavorsOf(deps, migration);
  return deltasOf(to, from, 'less');
}

/** Promises the deltas to the instance's tenant; null when there are none. */
async function reserveFor(deps: Deps, instance: InstanceRecord, deltas: Deltas): Promise<string[] | null> {
  if (Object.keys(deltas).length === 0) return null;
  return reserve(deps.db, instance.project_id ?? '', deps.quotaDefaults, deltas, {
    now: deps.clock.now(),
    random: deps.random,
    expireSeconds: deps.config.reservation_expire,
  });
}

/**
 * Begins a resize, or without a flavor a migration to another host.
 *
 * @throws Fault `FlavorNotFound`, `CannotResizeToSameFlavor`, `TooManyInstances`, `InstanceInvalidState`
 */
export async function resize(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  flavorid: string | undefined,
  changes: Pick<Step, 'auto_disk_config'> = {},
): Promise<void> {
  authorize(deps, context, 'compute:resize', targetOf(instance));
  checkAction('resize', instance, context);
  const current = instance.flavor;
  const flavor = flavorid === undefined ? current : await flavorByFlavorId(deps.db.knex, flavorid, context);
  const same = flavor.id === current.id;
  if (flavor.disabled && !same) throw novaFault('FlavorNotFound', { flavor_id: flavorid });
  const image = await deps.images.show(context, instance.image_ref);
  if (same && flavorid !== undefined) throw novaFault('CannotResizeToSameFlavor');

  const deltas = deltasOf(flavor, current, 'more');
  let reservations: string[] | null;
  try {
    reservations = await reserveFor(deps, instance, deltas);
  } catch (error) {
    const over = overOf(error);
    throw over ? tooManyInstances(over, deltas) : error;
  }
  try {
    const specs = await extraSpecs(deps.db.knex, flavor.id);
    const stay =
      flavorid === undefined ? deps.config.allow_migrate_to_same_host : deps.config.allow_resize_to_same_host;
    const step = { ...changes, progress: 0 };
    await begin(deps, context, instance, 'resize', step, ({ scheduler }, { wire }) =>
      scheduler.prep_resize(context, {
        instance: wire,
        instance_type: flavorWire(flavor, specs),
        image,
        request_spec: {
          image,
          instance_type: flavorWire(flavor, specs),
          instance_uuids: [instance.uuid],
          instance_properties: wire,
        },
        filter_properties: { ignore_hosts: stay || instance.host === null ? [] : [instance.host] },
        reservations,
      }),
    );
  } catch (error) {
    await rollbackReservations(deps.db, reservations, deps.clock.now());
    throw error;
  }
}

/** @throws Fault `MigrationNotFoundByStatus`, `InstanceInvalidState` */
export async function confirmResize(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
): Promise<void> {
  const admin = elevated(context);
  authorize(deps, context, 'compute:confirm_resize', targetOf(instance));
  checkAction('confirm_resize', instance, context);
  const migration = await migrationByInstance(deps.db.knex, instance.uuid, 'finished');
  const reservations = await reserveFor(deps, instance, await downsizeDeltas(deps, migration));
  const tell: Tell = async ({ compute }, { wire, trx }) => {
    await updateMigration(trx, migration.id, { status: 'confirmed' }, deps.clock.now(), 'finished');
    const args = { instance: wire, migration_id: migration.id, reservations };
    await compute.confirm_resize(admin, args, { host: migration.source_compute ?? '' });
  };
  await beginOrGiveBack(deps, admin, instance, 'confirm_resize', reservations, tell);
}

/** @throws Fault `MigrationNotFoundByStatus`, `InstanceInvalidState` */
export async function revertResize(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
): Promise<void> {
  const admin = elevated(context);
  authorize(deps, context, 'compute:revert_resize', targetOf(instance));
  checkAction('revert_resize', instance, context);
  const migration = await migrationByInstance(deps.db.knex, instance.uuid, 'finished');
  const [from, to] = await flavorsOf(deps, migration);
  const reservations = await reserveFor(deps, instance, deltasOf(from, to, 'less'));
  const tell: Tell = async ({ compute }, { wire, trx }) => {
    await updateMigration(trx, migration.id, { status: 'reverted' }, deps.clock.now(), 'finished');
    const args = { instance: wire, migration_id: migration.id, reservations };
    await compute.revert_resize(admin, args, { host: migration.dest_compute ?? '' });
  };
  await beginOrGiveBack(deps, admin, instance, 'revert_resize', reservations, tell);
}

async function beginOrGiveBack(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  name: 'confirm_resize' | 'revert_resize',
  reservations: string[] | null,
  tell: Tell,
) {
  try {
    return await begin(deps, context, instance, name, {}, tell);
  } catch (error) {
    await rollbackReservations(deps.db, reservations, deps.clock.now());
    throw error;
  }
}
