import type { RequestContext } from '@folsom/core';
import { taskState, type VmState, vmState } from '@folsom/nova/instance-state';
import type { InstanceChanges, UpdateCondition } from '@folsom/nova/instances';
import { revokeConsoles } from '../console.ts';
import type { Guest } from '../driver.ts';
import {
  type ComputeSeam,
  change,
  NotOurs,
  networked,
  type Operation,
  onInstance,
  powerStateOf,
} from '../seam.ts';

type Work = (seam: ComputeSeam, operation: Operation) => Promise<void>;

/** A change of state of one instance: what the driver does, and what the instance is afterwards. */
interface Transition {
  /** task_states in which the end of the work may be written. */
  expected: UpdateCondition['expectedTaskState'];
  to: VmState;
  run: Work;
  /** Notification around it: `power_off` gives `.start` and `.end`; `suspend` is sent once, afterwards. */
  event?: string;
  once?: boolean;
  /** Whether a failure leaves the instance in ERROR. */
  errorState?: boolean;
  /** Whether the guest's screen is gone afterwards, and with it the tokens for it. */
  endsConsoles?: boolean;
}

const network = (seam: ComputeSeam, { context, guest }: Operation) =>
  seam.network.instanceNetworkInfo(context, networked(guest));

const transitions = {
  stop_instance: {
    expected: [taskState.poweringOff, taskState.stopping],
    to: vmState.stopped,
    run: (seam, { guest }) => seam.driver.powerOff(guest),
    event: 'power_off',
    endsConsoles: true,
  },
  power_off_instance: {
    expected: [taskState.poweringOff, taskState.stopping],
    to: vmState.softDeleted,
    run: (seam, { guest }) => seam.driver.powerOff(guest),
    event: 'power_off',
    endsConsoles: true,
  },
  start_instance: {
    expected: [taskState.poweringOn, taskState.starting],
    to: vmState.active,
    run: async (seam, operation) => seam.driver.powerOn(operation.guest, await network(seam, operation)),
    event: 'power_on',
  },
  pause_instance: {
    expected: taskState.pausing,
    to: vmState.paused,
    run: (seam, { guest }) => seam.driver.pause(guest),
  },
  unpause_instance: {
    expected: taskState.unpausing,
    to: vmState.active,
    run: (seam, { guest }) => seam.driver.unpause(guest),
  },
  suspend_instance: {
    expected: taskState.suspending,
    to: vmState.suspended,
    run: (seam, { guest }) => seam.driver.suspend(guest),
    event: 'suspend',
    once: true,
    errorState: true,
    endsConsoles: true,
  },
  resume_instance: {
    expected: taskState.resuming,
    to: vmState.active,
    run: async (seam, operation) => seam.driver.resume(operation.guest, await network(seam, operation)),
    event: 'resume',
    once: true,
  },
  unrescue_instance: {
    expected: taskState.unrescuing,
    to: vmState.active,
    run: async (seam, operation) => seam.driver.unrescue(operation.guest, await network(seam, operation)),
    errorState: true,
  },
} satisfies Record<string, Transition>;

export type TransitionName = keyof typeof transitions;

export async function transition(
  seam: ComputeSeam,
  context: RequestContext,
  name: TransitionName,
  uuid: string,
): Promise<void> {
  const rule: Transition = transitions[name];
  await onInstance(
    seam,
    context,
    uuid,
    async operation => {
      const { guest } = operation;
      // A message that comes late, or once more, finds another task: what it asks for is over.
      if (guest.host !== seam.host || ![rule.expected].flat().includes(guest.task_state))
        throw new NotOurs(`nobody waits for ${name}`);
      if (rule.event && !rule.once) await seam.notify.usage(context, guest, `${rule.event}.start`);
      await seam.observe?.(name, 'driver', uuid);
      await rule.run(seam, operation);
      if (rule.endsConsoles) revokeConsoles(seam, context, uuid);
      await seam.observe?.(name, 'record', uuid);
      const after = await settle(seam, operation, { vm_state: rule.to }, rule.expected);
      if (rule.event) await seam.notify.usage(context, after, rule.once ? rule.event : `${rule.event}.end`);
    },
    { errorState: rule.errorState ?? false },
  );
}

/** Writes the end of a task: the hypervisor's power state, no task, and `changes`. */
export async function settle(
  seam: ComputeSeam,
  { context, guest }: Operation,
  changes: InstanceChanges,
  expected: UpdateCondition['expectedTaskState'],
): Promise<Guest> {
  return change(
    seam,
    context,
    guest,
    { power_state: await powerStateOf(seam, guest), task_state: null, ...changes },
    { host: seam.host, ...(expected === undefined ? {} : { expectedTaskState: expected }) },
  );
}

const REBOOTING: readonly (string | null)[] = [taskState.rebooting, taskState.rebootingHard];

export async function rebootInstance(
  seam: ComputeSeam,
  context: RequestContext,
  uuid: string,
  type: string,
): Promise<void> {
  await onInstance(seam, context, uuid, async operation => {
    const { guest } = operation;
    if (guest.host !== seam.host || !REBOOTING.includes(guest.task_state))
      throw new NotOurs('nobody waits for this reboot');
    await seam.notify.usage(context, guest, 'reboot.start');
    await seam.observe?.('reboot', 'driver', uuid);
    const before = await change(seam, context, guest, { power_state: await powerStateOf(seam, guest) });
    await seam.driver.reboot(before, await network(seam, operation), type === 'HARD' ? 'HARD' : 'SOFT');
    await seam.observe?.('reboot', 'record', uuid);
    const after = await settle(seam, operation, { vm_state: vmState.active }, REBOOTING);
    await seam.notify.usage(context, after, 'reboot.end');
  });
}
