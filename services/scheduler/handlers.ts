import { type Fault, isFault, type RequestContext, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { InstanceNotifier } from '@folsom/nova/instance-notifications';
import { instanceRecord } from '@folsom/nova/instance-records';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { instanceByUuid, recordFault, tryUpdateInstance, type UpdateCondition } from '@folsom/nova/instances';
import { passing } from '@folsom/nova/passing';
import { rollbackReservations } from '@folsom/nova/reservations';
import type { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { RequestSpec } from '@folsom/nova/rpc/wire';
import { tryMoveVolume } from '@folsom/nova/volumes';
import type { Handlers, Notifier } from '@folsom/rpc';
import { commonCause } from './build-failures.ts';
import type { SchedulerDriver } from './driver.ts';
import { asFault } from './filter-scheduler.ts';
import { hostResources } from './host-resources.ts';
import type { Capabilities, HostStates } from './host-state.ts';
import { type LiveMigrationSeam, liveMigrate } from './live-migration.ts';
import type { Sources } from './sources.ts';

export interface HandlerSeam extends LiveMigrationSeam {
  db: Database;
  world: World;
  driver: SchedulerDriver;
  hosts: HostStates;
  sources: Sources;
  notify: Notifier;
  /** Tells of instances that change, where the configuration asks for that. */
  updates: Pick<InstanceNotifier, 'updated'> | undefined;
}

interface Failure {
  method: string;
  uuid: string;
  fault: Fault;
  changes: { vm_state?: string; task_state: null };
  /** Only an instance that still waits for us is touched. */
  waitsIn: UpdateCondition['expectedTaskState'];
  spec?: RequestSpec;
  /** Hosts where it was tried. */
  tried?: readonly string[];
}

/** What its owner (`message`) and administrators (`details`) are told of an instance that no host took. */
async function whyNoHost(db: Database, failure: Failure): Promise<{ message: string; details?: string }> {
  const { method, uuid, fault, tried = [] } = failure;
  if (method !== 'run_instance')
    return { message: `${fault.name}: no host could take it, it stays as it was` };
  // No host is left because each said no, and all for this: without it nobody could tell what to mend.
  const cause = await commonCause(db.knex, uuid);
  if (cause === undefined) return { message: fault.name };
  return {
    message: `${fault.name}: ${cause}`,
    details: `${fault.message}\nEvery build failed alike (${tried.join(', ')}): ${cause}`,
  };
}

/** What nova-scheduler answers. */
export function schedulerHandlers(seam: HandlerSeam): Handlers<(typeof schedulerContract)['methods']> {
  const { db, world, driver } = seam;

  /** An instance never stays in a task nobody works on: state and record say why it failed. */
  const failed = async (context: RequestContext, failure: Failure) => {
    const { method, uuid, fault, spec } = failure;
    world.log.warn(`cannot schedule ${method}`, {
      instance: uuid,
      requestId: context.requestId,
      fault: fault.name,
      why: fault.message,
    });
    const now = world.clock.now();
    const before =
      seam.updates === undefined ? undefined : await instanceByUuid(db.knex, uuid).catch(() => undefined);
    const touched = await tryUpdateInstance(db.knex, uuid, failure.changes, now, {
      ...(failure.waitsIn === undefined ? {} : { expectedTaskState: failure.waitsIn }),
    });
    if (!touched) return;
    if (before !== undefined)
      await seam.updates?.updated(
        context,
        before,
        await instanceRecord(db.knex, uuid, { readDeleted: 'yes' }),
      );
    const said = fault.name === 'NoValidHost' ? await whyNoHost(db, failure) : { message: fault.name };
    await recordFault(
      db.knex,
      { instance_uuid: uuid, code: fault.status, details: fault.message, ...said },
      now,
    );
    await seam.notify(
      context,
      `scheduler.${method}`,
      {
        request_spec: spec ?? {},
        instance_properties: spec?.instance_properties ?? {},
        instance_id: uuid,
        state: failure.changes.vm_state ?? null,
        method,
        reason: fault.message,
      },
      'ERROR',
    );
  };

  return {
    async run_instance(context, args) {
      const spec = args.request_spec;
      const fail = (uuid: string, fault: Fault) =>
        failed(context, {
          method: 'run_instance',
          uuid,
          fault,
          changes: { vm_state: vmState.error, task_state: null },
          waitsIn: taskState.scheduling,
          spec,
          tried: args.filter_properties?.retry?.hosts ?? [],
        });
      try {
        await driver.runInstance(context, args, fail);
      } catch (error) {
        if (passing(error) !== undefined) throw error;
        const fault = asFault(error, seam);
        for (const uuid of spec.instance_uuids) await fail(uuid, fault);
        if (!isFault(error)) throw error;
      }
    },

    async prep_resize(context, args) {
      try {
        await driver.prepResize(context, args);
      } catch (error) {
        if (passing(error) !== undefined) throw error;
        const fault = asFault(error, seam);
        const refused = fault.name === 'NoValidHost';
        await failed(context, {
          method: 'prep_resize',
          uuid: args.instance.uuid,
          fault,
          // Nothing has happened to the guest where no host was found: it goes on as it was.
          changes: { ...(refused ? {} : { vm_state: vmState.error }), task_state: null },
          waitsIn: taskState.resizePrep,
          spec: args.request_spec,
        });
        await rollbackReservations(db, args.reservations, world.clock.now());
        if (!isFault(error)) throw error;
      }
    },

    async live_migration(context, args) {
      try {
        return await liveMigrate(seam, context, args);
      } catch (error) {
        await failed(context, {
          method: 'live_migration',
          uuid: args.instance.uuid,
          fault: asFault(error, seam),
          changes: { task_state: null },
          waitsIn: taskState.migrating,
        });
        throw error;
      }
    },

    async check_rebuild(context, args) {
      await driver.checkRebuild(context, args);
      return null;
    },

    async create_volume(context, job) {
      try {
        await driver.createVolume(context, job);
      } catch (error) {
        if (passing(error) !== undefined) throw error;
        world.log.warn('cannot schedule create_volume', { volume: job.volume_id, error });
        await unplaced(db, job.volume_id, world.clock.now());
        if (!isFault(error)) throw error;
      }
    },

    show_host_resources: (_context, { host }) => hostResources(db, host),

    update_service_capabilities(_context, { service_name, host, capabilities }) {
      const given = capabilities ?? {};
      if (typeof given === 'object' && !Array.isArray(given)) {
        seam.hosts.report(service_name, host, given as Capabilities);
      }
    },
  };
}

/** A volume that no host was found for. */
const unplaced = (db: Database, id: string, now: number): Promise<boolean> =>
  tryMoveVolume(db.knex, id, 'createFailed', now, {}, { host: null });

/** Makes the rows say that a message is given up: it failed for a passing cause too often. */
export const giveUp =
  ({ db, world }: { db: Database; world: World }) =>
  async (
    _context: RequestContext,
    method: string,
    args: {
      request_spec?: RequestSpec;
      instance?: { uuid: string };
      volume_id?: string;
      reservations?: string[] | null;
    },
    error: unknown,
  ): Promise<void> => {
    const now = world.clock.now();
    if (args.volume_id !== undefined) await unplaced(db, args.volume_id, now);
    const fault = asFault(error, { world });
    const boots = method === 'run_instance';
    const uuids = boots ? (args.request_spec?.instance_uuids ?? []) : [args.instance?.uuid ?? ''];
    const changes = { ...(boots ? { vm_state: vmState.error } : {}), task_state: null };
    const waitsIn = boots ? taskState.scheduling : [taskState.resizePrep, taskState.migrating];
    for (const uuid of uuids) {
      if (!(await tryUpdateInstance(db.knex, uuid, changes, now, { expectedTaskState: waitsIn }))) continue;
      const said = { code: fault.status, message: fault.name, details: fault.message };
      await recordFault(db.knex, { instance_uuid: uuid, ...said }, now);
    }
    await rollbackReservations(db, args.reservations ?? null, now);
  };
