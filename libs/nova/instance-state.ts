import type { Fault } from '@folsom/core';
import { novaFault } from './faults.ts';

/** Stable condition of an instance, as `instances.vm_state` holds it. */
export const vmState = {
  active: 'active',
  building: 'building',
  paused: 'paused',
  suspended: 'suspended',
  stopped: 'stopped',
  rescued: 'rescued',
  resized: 'resized',
  softDeleted: 'soft-delete',
  deleted: 'deleted',
  error: 'error',
} as const;
export type VmState = (typeof vmState)[keyof typeof vmState];

/** Work under way, as `instances.task_state` holds it; null between tasks. */
export const taskState = {
  scheduling: 'scheduling',
  blockDeviceMapping: 'block_device_mapping',
  networking: 'networking',
  spawning: 'spawning',
  imageSnapshot: 'image_snapshot',
  imageBackup: 'image_backup',
  updatingPassword: 'updating_password',
  resizePrep: 'resize_prep',
  resizeMigrating: 'resize_migrating',
  resizeMigrated: 'resize_migrated',
  resizeFinish: 'resize_finish',
  resizeReverting: 'resize_reverting',
  resizeConfirming: 'resize_confirming',
  rebooting: 'rebooting',
  rebootingHard: 'rebooting_hard',
  pausing: 'pausing',
  unpausing: 'unpausing',
  suspending: 'suspending',
  resuming: 'resuming',
  stopping: 'stopping',
  starting: 'starting',
  poweringOff: 'powering-off',
  poweringOn: 'powering-on',
  rescuing: 'rescuing',
  unrescuing: 'unrescuing',
  rebuilding: 'rebuilding',
  rebuildBlockDeviceMapping: 'rebuild_block_device_mapping',
  rebuildSpawning: 'rebuild_spawning',
  migrating: 'migrating',
  deleting: 'deleting',
} as const;
export type TaskState = (typeof taskState)[keyof typeof taskState];

/** What the hypervisor says, as `instances.power_state` holds it. */
export const powerState = {
  noState: 0,
  running: 1,
  paused: 3,
  shutdown: 4,
  crashed: 6,
  suspended: 7,
  failed: 8,
  building: 9,
} as const;

export interface ActionRule {
  /** vm_states in which the action may start; `any` for all. */
  from: readonly VmState[] | 'any';
  /** task_states in which it may start; `any` for all. */
  during: readonly (TaskState | null)[] | 'any';
  /** task_state the API writes before it hands the work on; undefined leaves it. */
  task?: TaskState | null;
  /** vm_state the API writes at once. */
  to?: VmState;
  /** Whether a lock of the instance stops callers who are not administrators. */
  locked: boolean;
}

const { active, paused, suspended, stopped, rescued, resized, softDeleted, error } = vmState;
const idle = [null] as const;

/**
 * The state table: what may be asked of an instance in which condition, under the names Folsom's fault texts use. The
 * agent's own steps move on from here by compare-and-set on task_state.
 */
export const actions = {
  delete: { from: 'any', during: 'any', task: taskState.deleting, locked: true },
  soft_delete: { from: 'any', during: 'any', task: taskState.poweringOff, locked: true },
  restore: { from: [softDeleted], during: idle, task: taskState.poweringOn, locked: true },
  force_delete: { from: [softDeleted], during: idle, task: taskState.deleting, locked: true },
  stop: {
    from: [active, rescued, error, stopped],
    during: idle,
    task: taskState.stopping,
    locked: true,
  },
  start: { from: [stopped], during: idle, task: taskState.starting, locked: true },
  reboot: {
    from: [active, stopped, rescued],
    during: [null, taskState.rebooting],
    task: taskState.rebooting,
    locked: true,
  },
  rebuild: { from: [active, stopped], during: idle, task: taskState.rebuilding, locked: true },
  resize: { from: [active, stopped], during: idle, task: taskState.resizePrep, locked: true },
  confirm_resize: { from: [resized], during: idle, task: null, to: active, locked: true },
  revert_resize: { from: [resized], during: idle, task: taskState.resizeReverting, locked: true },
  pause: { from: [active, rescued], during: idle, task: taskState.pausing, to: active, locked: true },
  unpause: { from: [paused], during: idle, task: taskState.unpausing, to: paused, locked: true },
  suspend: { from: [active, rescued], during: idle, task: taskState.suspending, to: active, locked: true },
  resume: { from: [suspended], during: idle, task: taskState.resuming, to: suspended, locked: true },
  rescue: { from: [active, stopped], during: idle, task: taskState.rescuing, to: active, locked: true },
  unrescue: { from: [rescued], during: idle, task: taskState.unrescuing, to: rescued, locked: true },
  set_admin_password: { from: [active], during: idle, task: taskState.updatingPassword, locked: true },
  snapshot: { from: [active, stopped], during: idle, task: taskState.imageSnapshot, locked: false },
  backup: { from: [active, stopped], during: idle, task: taskState.imageBackup, locked: false },
  live_migrate: { from: [active], during: idle, task: taskState.migrating, locked: false },
  add_fixed_ip: { from: 'any', during: 'any', locked: true },
  remove_fixed_ip: { from: 'any', during: 'any', locked: true },
  reset_network: { from: 'any', during: 'any', locked: true },
  inject_network_info: { from: 'any', during: 'any', locked: true },
  attach_volume: { from: 'any', during: 'any', locked: true },
  detach_volume: { from: 'any', during: 'any', locked: true },
  update_instance_metadata: { from: 'any', during: 'any', locked: true },
  delete_instance_metadata: { from: 'any', during: 'any', locked: true },
} as const satisfies Record<string, ActionRule>;

export type ActionName = keyof typeof actions;

/** The parts of an instance that decide what may be done with it. */
export interface StateOf {
  uuid: string;
  vm_state: string | null;
  task_state: string | null;
  locked: boolean | number | null;
}

/**
 * Throws unless the action may start now.
 * @throws Fault `InstanceIsLocked` or `InstanceInvalidState` (400, as it reads where nothing words it better); values name `attr`, `state` and `method`.
 */
export function checkAction(name: ActionName, instance: StateOf, by: { isAdmin: boolean }): void {
  const rule: ActionRule = actions[name];
  if (rule.locked && instance.locked && !by.isAdmin) {
    throw novaFault('InstanceIsLocked', { instance_uuid: instance.uuid });
  }
  const refuse = (attr: string, state: string | null): never => {
    throw invalidState(instance.uuid, attr, state, name);
  };
  if (rule.from !== 'any' && !(rule.from as readonly (string | null)[]).includes(instance.vm_state)) {
    refuse('vm_state', instance.vm_state);
  }
  if (rule.during !== 'any' && !(rule.during as readonly (string | null)[]).includes(instance.task_state)) {
    refuse('task_state', instance.task_state);
  }
}

/** `InstanceInvalidState` as nova words it; null prints as Python's None. */
export const invalidState = (uuid: string, attr: string, state: string | null, method: string): Fault =>
  novaFault(
    'InstanceInvalidState',
    { instance_uuid: uuid, attr, state, method },
    {
      message: `Instance ${uuid} in ${attr} ${state ?? 'None'}. Cannot ${method} while the instance is in this state.`,
    },
  );
