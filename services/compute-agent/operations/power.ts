import { type TaskState, taskState, type VmState, vmState } from '@folsom/nova/instance-state';
import type { InstanceChanges } from '@folsom/nova/instances';
import { revokeConsoles } from '../console.ts';
import { networked, powerStateOf } from '../seam.ts';
import { attachmentsOf } from '../volumes.ts';
import { type AnyOperation, hold, operation, perform, STALLED_MS, type Work } from './operation.ts';

/** A change of state of one instance: what the driver does, and what the instance is afterwards. */
interface Transition {
  /** Messages that ask for it. */
  methods: readonly string[];
  /** task_states in which it is asked for, and in which the end of the work may be written. */
  asked: readonly TaskState[];
  to: VmState;
  run(work: Work): Promise<void>;
  /** Told of when it begins and when it has ended. */
  event?: 'power_off' | 'power_on';
  /** Told of once, afterwards. */
  once?: 'suspend' | 'resume';
  /** Whether a failure leaves the instance in ERROR. */
  errorState?: boolean;
  /** Whether the guest's screen is gone afterwards, and with it the tokens for it. */
  endsConsoles?: boolean;
  again?: AnyOperation['again'];
}

const network = ({ seam, context, guest }: Work) =>
  seam.network.instanceNetworkInfo(context, networked(guest));
const volumes = ({ seam, guest }: Work) => attachmentsOf(seam.db, guest.uuid);

/** As a chain: the driver's part, then the rows. Both can be repeated. */
function transition(name: string, rule: Transition) {
  return operation<Work>({
    name,
    methods: rule.methods,
    asked: rule.asked,
    errorState: rule.errorState ?? false,
    ...(rule.again === undefined ? {} : { again: rule.again }),
    begin: work => work,
    steps: [
      {
        name: 'driver',
        restart: 'again',
        stalledMs: STALLED_MS,
        run: async work => {
          const { seam, context, guest } = work;
          if (rule.event) await seam.notify.usage(context, guest, `${rule.event}.start`);
          await rule.run(work);
          if (rule.endsConsoles) revokeConsoles(seam, context, guest.uuid);
        },
      },
      { name: 'record', restart: 'again', run: work => settle(work, { vm_state: rule.to }) },
    ],
    async done({ seam, context, guest }) {
      if (rule.event) await seam.notify.usage(context, guest, `${rule.event}.end`);
      if (rule.once) await seam.notify.usage(context, guest, rule.once);
    },
  });
}

const powerOff: Transition['run'] = ({ seam, guest }) => seam.driver.powerOff(guest);

/** The same messages and tasks end in another state where deletions are soft. */
const OFF = [taskState.poweringOff, taskState.stopping] as const;

export const stop = transition('stop', {
  methods: ['stop_instance'],
  asked: OFF,
  to: vmState.stopped,
  run: powerOff,
  event: 'power_off',
  endsConsoles: true,
  again: (seam, context, guest) => {
    const soft = guest.task_state === taskState.poweringOff && seam.settings.reclaim_instance_interval > 0;
    return perform(seam, soft ? powerOffForDeletion : stop, context, guest.uuid);
  },
});

export const powerOffForDeletion = transition('power_off', {
  methods: ['power_off_instance'],
  asked: OFF,
  to: vmState.softDeleted,
  run: powerOff,
  event: 'power_off',
  endsConsoles: true,
});

export const start = transition('start', {
  methods: ['start_instance', 'power_on_instance'],
  asked: [taskState.poweringOn, taskState.starting],
  to: vmState.active,
  run: async work => work.seam.driver.powerOn(work.guest, await network(work), await volumes(work)),
  event: 'power_on',
});

export const pause = transition('pause', {
  methods: ['pause_instance'],
  asked: [taskState.pausing],
  to: vmState.paused,
  run: ({ seam, guest }) => seam.driver.pause(guest),
});

export const unpause = transition('unpause', {
  methods: ['unpause_instance'],
  asked: [taskState.unpausing],
  to: vmState.active,
  run: ({ seam, guest }) => seam.driver.unpause(guest),
});

export const suspend = transition('suspend', {
  methods: ['suspend_instance'],
  asked: [taskState.suspending],
  to: vmState.suspended,
  run: ({ seam, guest }) => seam.driver.suspend(guest),
  once: 'suspend',
  errorState: true,
  endsConsoles: true,
});

export const resume = transition('resume', {
  methods: ['resume_instance'],
  asked: [taskState.resuming],
  to: vmState.active,
  run: async work => work.seam.driver.resume(work.guest, await network(work), await volumes(work)),
  once: 'resume',
});

export const unrescue = transition('unrescue', {
  methods: ['unrescue_instance'],
  asked: [taskState.unrescuing],
  to: vmState.active,
  run: async work => work.seam.driver.unrescue(work.guest, await network(work), await volumes(work)),
  errorState: true,
});

/** Writes the end of a task: the hypervisor's power state, no task, and `changes`. */
export const settle = async (work: Work, changes: InstanceChanges): Promise<void> =>
  hold(work, { power_state: await powerStateOf(work.seam, work.guest), task_state: null, ...changes });

interface Reboot extends Work {
  type: 'HARD' | 'SOFT';
}

/** A soft one that was cut short is begun again as a hard one: the guest may be off already. */
export const reboot = operation<Reboot, { reboot_type: string }>({
  name: 'reboot',
  methods: ['reboot_instance'],
  asked: [taskState.rebooting, taskState.rebootingHard],
  errorState: false,
  steps: [
    {
      name: 'driver',
      restart: 'again',
      stalledMs: STALLED_MS,
      run: async work => {
        const { seam, context, guest } = work;
        await seam.notify.usage(context, guest, 'reboot.start');
        await hold(work, { power_state: await powerStateOf(seam, guest) });
        await seam.driver.reboot(work.guest, await network(work), work.type, await volumes(work));
      },
    },
    { name: 'record', restart: 'again', run: work => settle(work, { vm_state: vmState.active }) },
  ],
  begin: (work, message) => ({
    ...work,
    type: message === undefined || message.reboot_type === 'HARD' ? 'HARD' : 'SOFT',
  }),
  done: ({ seam, context, guest }) => seam.notify.usage(context, guest, 'reboot.end'),
});
