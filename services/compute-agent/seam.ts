import {
  elevated,
  Fault,
  isFault,
  type keyedMutex,
  type Logger,
  type RequestContext,
  type World,
} from '@folsom/core';
import type { Database } from '@folsom/db';
import type { ImageClient } from '@folsom/nova/image-transfer';
import type { InstanceNotifier } from '@folsom/nova/instance-notifications';
import { type InstanceRecord, instanceName, instanceRecord } from '@folsom/nova/instance-records';
import { powerState, taskState, vmState } from '@folsom/nova/instance-state';
import {
  type InstanceChanges,
  instanceByUuid,
  recordFault,
  tryUpdateInstance,
  type UpdateCondition,
  updateInstance,
  type Visibility,
} from '@folsom/nova/instances';
import type { NetworkApi, NetworkedInstance } from '@folsom/nova/network-api';
import type { Outbox } from '@folsom/nova/outbox';
import { passing } from '@folsom/nova/passing';
import type { Sql } from '@folsom/nova/rows';
import type { Bus } from '@folsom/rpc';
import type { AwaitedMessages } from './awaited.ts';
import type { ComputeDriver, Guest } from './driver.ts';
import type { Resources } from './resources.ts';
import type { ComputeSettings } from './settings.ts';
import type { StepObserver } from './steps.ts';

/** What every operation of the compute agent works with. */
export interface ComputeSeam {
  db: Database;
  bus: Bus;
  /** For changes that another daemon is told of: both in one transaction. */
  outbox: Outbox;
  world: World;
  log: Logger;
  host: string;
  settings: ComputeSettings;
  driver: ComputeDriver;
  images: ImageClient;
  network: NetworkApi;
  resources: Resources;
  notify: InstanceNotifier;
  inTurn: ReturnType<typeof keyedMutex>;
  /** Work under way by instance, so that a deletion can end it. */
  working: Map<string, AbortController>;
  awaited: AwaitedMessages;
  observe: StepObserver | undefined;
}

export const nowOf = (seam: ComputeSeam): number => seam.world.clock.now();

export const asGuest = (
  seam: { settings: Pick<ComputeSettings, 'instance_name_template'> },
  record: InstanceRecord,
): Guest => ({
  ...record,
  name: instanceName(seam.settings.instance_name_template, record),
});

/** The instance as the database has it now. @throws Fault `InstanceNotFound` */
export const guestOf = async (seam: ComputeSeam, uuid: string, see?: Visibility): Promise<Guest> =>
  asGuest(seam, await instanceRecord(seam.db.knex, uuid, see));

/** The same, of which the row alone is read: what hangs on it is as it was. @throws Fault `InstanceNotFound` */
export const rowAgain = async (seam: ComputeSeam, guest: Guest, see?: Visibility): Promise<Guest> =>
  asGuest(seam, { ...guest, ...(await instanceByUuid(seam.db.knex, guest.uuid, see)) });

/** The instance as the database has it now; undefined when there is none. A database that is away is an error. */
export const presentGuest = (seam: ComputeSeam, uuid: string): Promise<Guest | undefined> =>
  guestOf(seam, uuid).catch(error => {
    if (!isFault(error, 'InstanceNotFound')) throw error;
    return undefined;
  });

export const networked = (guest: InstanceRecord, host: string | null = guest.host): NetworkedInstance => ({
  id: guest.id,
  uuid: guest.uuid,
  project_id: guest.project_id,
  host,
  rxtx_factor: guest.flavor.rxtx_factor,
});

/**
 * Changes an instance, compare-and-set where a condition is given, and tells who listens. With `kept` what hangs on the
 * instance is not read again, nor is its row unless somebody is told of it.
 */
export async function change(
  seam: ComputeSeam,
  context: RequestContext,
  guest: { uuid: string; vm_state: string; task_state: string | null },
  changes: InstanceChanges,
  condition: UpdateCondition = {},
  kept?: Guest,
): Promise<Guest> {
  await updateInstance(seam.db.knex, guest.uuid, changes, nowOf(seam), condition);
  if (kept && !seam.notify.listens) return asGuest(seam, { ...kept, ...changes });
  const see = { readDeleted: 'yes' } as const;
  const after = await (kept ? rowAgain(seam, kept, see) : guestOf(seam, guest.uuid, see));
  await seam.notify.updated(context, guest, after);
  return after;
}

/** power_state as the hypervisor has it; no state when it does not know the guest. */
export async function powerStateOf(seam: ComputeSeam, guest: Guest): Promise<number> {
  try {
    return (await seam.driver.info(guest)).state;
  } catch (error) {
    if (isFault(error, 'InstanceNotFound')) return powerState.noState;
    throw error;
  }
}

/** Puts an instance into ERROR, without a task, as long as it is whose it was (`host` as it was seen). */
export const setError = (seam: ComputeSeam, { uuid, host }: Seen): Promise<boolean> =>
  tryUpdateInstance(seam.db.knex, uuid, { vm_state: vmState.error, task_state: null }, nowOf(seam), {
    ...(host === undefined ? {} : { host }),
    expectedTaskState: [null, ...NOT_DELETING],
  });

/** An instance as work on it found it. */
type Seen = { uuid: string; host?: string | null };
const NOT_DELETING = Object.values(taskState).filter(state => state !== taskState.deleting);

/** Writes down why something failed. Users see the name; administrators see the text. */
export async function addFault(
  seam: ComputeSeam,
  uuid: string,
  error: unknown,
  sql: Sql = seam.db.knex,
): Promise<void> {
  const known = error instanceof Fault;
  const name = known ? error.name : 'NovaException';
  const text = error instanceof Error ? error.message : String(error);
  const details = known ? text : `${text}\n${error instanceof Error ? (error.stack ?? '') : ''}`;
  await recordFault(
    sql,
    {
      instance_uuid: uuid,
      code: known ? error.status : 500,
      message: name,
      details: details.slice(0, FAULT_DETAILS_CHARS_MAX),
    },
    nowOf(seam),
  );
}
const FAULT_DETAILS_CHARS_MAX = 8000;

/** Answers a question about an instance; like any other work on it, one that fails leaves a fault record. */
export async function withFault<T>(seam: ComputeSeam, uuid: string, question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (!isFault(error, 'InstanceNotFound')) await addFault(seam, uuid, error);
    throw error;
  }
}

/** Whether the failure only says that somebody else (a deletion) took over. */
export const isPreempted = (error: unknown): boolean =>
  isFault(error, 'UnexpectedTaskStateError') || isFault(error, 'InstanceNotFound') || isDeletion(error);

/** The instance is another host's, or has been worked on: the message came twice, or late. */
export class NotOurs extends Fault {
  constructor(message: string) {
    super('UnexpectedTaskStateError', 409, message, { module: 'nova.exception' });
  }
}

/** A failure that has been written down: nothing more is to be done about the instance. */
export class Reported extends Error {
  override name = 'Reported';
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** Reason with which a deletion ends other work on the instance. */
export class InstanceGoes extends Error {
  override name = 'InstanceGoes';
}
const isDeletion = (error: unknown): boolean => error instanceof InstanceGoes;

export interface Operation {
  guest: Guest;
  context: RequestContext;
  signal: AbortSignal;
}

interface OnInstance {
  /** Whether a failure leaves the instance in ERROR. */
  errorState?: boolean;
  /** Beside other work on it. */
  aside?: boolean | undefined;
  /** Failures after which it is left as it is, since the message comes again. */
  passes?(error: unknown): boolean;
}

/**
 * Runs work on an instance: one at a time, ended by a deletion, and on failure with a fault record and without a
 * task left. Work that was overtaken by another task changes nothing more.
 */
export function onInstance<T>(
  seam: ComputeSeam,
  context: RequestContext,
  uuid: string,
  work: (operation: Operation) => Promise<T>,
  options: OnInstance = {},
): Promise<T> {
  const passes = options.passes ?? ((error: unknown) => passing(error) !== undefined);
  const inTurn: typeof seam.inTurn = options.aside ? (_uuid, fn) => fn() : seam.inTurn;
  return inTurn(uuid, async () => {
    if (options.aside && seam.working.has(uuid)) throw new NotOurs('something else is being done to it');
    const controller = new AbortController();
    seam.working.set(uuid, controller);
    seam.awaited.delete(uuid);
    const admin = elevated(context);
    let guest: Guest | undefined;
    try {
      guest = await guestOf(seam, uuid);
      return await work({ guest, context: admin, signal: controller.signal });
    } catch (error) {
      if (passes(error)) {
        // As it is: the message comes again and goes on with it.
        seam.awaited.add(uuid);
        throw error;
      }
      if (error instanceof Reported) throw error.cause;
      await afterFailure(seam, guest ?? { uuid }, error, options);
      throw error;
    } finally {
      if (seam.working.get(uuid) === controller) seam.working.delete(uuid);
    }
  });
}

/** Writes down that work on an instance failed for good. */
export async function afterFailure(
  seam: ComputeSeam,
  seen: Seen,
  error: unknown,
  options: { errorState?: boolean },
): Promise<void> {
  const { uuid, host } = seen;
  if (isPreempted(error)) {
    seam.log.info('work was overtaken by another task', { instance: uuid, error });
    return;
  }
  seam.log.error('work on an instance failed', { instance: uuid, error });
  await addFault(seam, uuid, error);
  if (options.errorState) await setError(seam, seen);
  else {
    await tryUpdateInstance(seam.db.knex, uuid, { task_state: null }, nowOf(seam), {
      ...(host === undefined ? {} : { host }),
      expectedTaskState: NOT_DELETING,
    });
  }
}
