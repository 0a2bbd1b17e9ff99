import { taskState, vmState } from '@folsom/nova/instance-state';
import { attach } from './attach.ts';
import { boot } from './boot.ts';
import { deletion } from './delete.ts';
import { detach } from './detach.ts';
import { liveMigration } from './live-migrate.ts';
import { type AnyOperation, operation, tasksOf } from './operation.ts';
import { password } from './password.ts';
import {
  pause,
  powerOffForDeletion,
  reboot,
  resume,
  start,
  stop,
  suspend,
  unpause,
  unrescue,
} from './power.ts';
import { rebuild } from './rebuild.ts';
import { rescue } from './rescue.ts';
import { resizeConfirm, resizeFinish, resizePrepare, resizeSend } from './resize.ts';
import { resizeRestore, resizeRevert } from './resize-revert.ts';
import { snapshot } from './snapshot.ts';

/**
 * Every long operation of this service. Recovery, the audits, `docs/operations.md` and the tests that end the process at
 * every step go by this table and by nothing else.
 */
export const operations: readonly AnyOperation[] = [
  boot,
  deletion,
  stop,
  powerOffForDeletion,
  start,
  pause,
  unpause,
  suspend,
  resume,
  reboot,
  rescue,
  unrescue,
  snapshot,
  password,
  rebuild,
  resizePrepare,
  resizeSend,
  resizeFinish,
  resizeConfirm,
  resizeRevert,
  resizeRestore,
  liveMigration,
  attach,
  detach,
];

/** Where two have the same task, the one that goes on with it after a restart stands first. */
const byTask = new Map<string | null, AnyOperation>();
for (const op of operations) {
  for (const task of tasksOf(op)) if (task !== null && !byTask.has(task)) byTask.set(task, op);
}

/** A task that a later nova knows: nothing sensible is left of it. */
const unknown = operation({
  name: 'unknown',
  methods: [],
  asked: [],
  errorState: true,
  steps: [{ name: 'find', restart: 'error', run: async () => {} }],
  begin: work => work,
});

/** The operation that is under way on an instance; undefined when there is none. */
export function operationOn(guest: {
  vm_state: string;
  task_state: string | null;
}): AnyOperation | undefined {
  if (guest.task_state === taskState.deleting) return deletion;
  if (guest.vm_state === vmState.building) return boot;
  if (guest.task_state === null) return undefined;
  return byTask.get(guest.task_state) ?? unknown;
}
