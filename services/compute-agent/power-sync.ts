import { adminContext } from '@folsom/core';
import { cachedNetworkInfo } from '@folsom/nova/instance-info-cache';
import { powerState, taskState, vmState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import type { Guest } from './driver.ts';
import { perform } from './operations/operation.ts';
import { stop as stopGuest } from './operations/power.ts';
import { type ComputeSeam, networked, nowOf, powerStateOf, presentGuest, setError } from './seam.ts';
import { attachmentsOf } from './volumes.ts';

/** States whose power the user does not expect to follow. */
const LEFT_ALONE: readonly string[] = [
  vmState.building,
  vmState.rescued,
  vmState.resized,
  vmState.suspended,
  vmState.paused,
  vmState.error,
];

/** Brings power_state in line with the hypervisor, and stops on paper what stopped by itself. */
export async function syncPowerStates(seam: ComputeSeam, guests: readonly Guest[]): Promise<void> {
  if (!seam.driver.reportsPowerState) return;
  for (const listed of guests) {
    if (listed.task_state !== null || seam.working.has(listed.uuid)) continue;
    const real = await powerStateOf(seam, listed);
    // The question may have taken long: what is decided is decided on the instance as it is now.
    const guest = await presentGuest(seam, listed.uuid);
    if (guest === undefined || guest.host !== seam.host || guest.task_state !== null) continue;
    if (seam.working.has(guest.uuid)) continue;
    if (real !== guest.power_state) {
      await tryUpdateInstance(seam.db.knex, guest.uuid, { power_state: real }, nowOf(seam), {
        host: seam.host,
        expectedTaskState: null,
      });
    }
    await resolve(seam, guest, real);
  }
}

async function resolve(seam: ComputeSeam, guest: Guest, real: number): Promise<void> {
  if (LEFT_ALONE.includes(guest.vm_state)) return;
  const stop = async (why: string) => {
    seam.log.warn(why, { instance: guest.uuid, power_state: real });
    const ours = await tryUpdateInstance(
      seam.db.knex,
      guest.uuid,
      { task_state: taskState.stopping },
      nowOf(seam),
      { host: seam.host, expectedTaskState: null, expectedVmState: guest.vm_state },
    );
    if (!ours) return;
    // Its failure stands in the instance's record; the next look tries again.
    await perform(seam, stopGuest, adminContext(), guest.uuid).catch(error =>
      seam.log.error('cannot stop on paper what stopped by itself', { instance: guest.uuid, error }),
    );
  };
  if (guest.vm_state === vmState.active) {
    if (real === powerState.shutdown || real === powerState.crashed) await stop('guest shut down by itself');
    else if (real === powerState.suspended) await stop('guest is suspended unexpectedly');
    else if (real === powerState.noState)
      seam.log.warn('guest is unexpectedly not found', { instance: guest.uuid });
  } else if (guest.vm_state === vmState.stopped) {
    const off: readonly number[] = [powerState.noState, powerState.shutdown, powerState.crashed];
    if (!off.includes(real)) await stop('guest runs although it is stopped');
  }
}

/** At start, where configured: guests that ran before their host stopped run again, or all of them. */
export async function resumeGuests(seam: ComputeSeam, guests: readonly Guest[]): Promise<void> {
  const { resume_guests_state_on_host_boot: resumed, start_guests_on_host_boot: all } = seam.settings;
  if (!(resumed || all) || !seam.driver.reportsPowerState) return;
  for (const { uuid } of guests) await seam.inTurn(uuid, () => resume(seam, uuid));
}

async function resume(seam: ComputeSeam, uuid: string): Promise<void> {
  const guest = await presentGuest(seam, uuid);
  if (guest === undefined || guest.host !== seam.host || guest.task_state !== null) return;
  const ran = guest.vm_state === vmState.active && guest.power_state === powerState.running;
  const started: readonly string[] = seam.settings.start_guests_on_host_boot
    ? [vmState.active, vmState.stopped]
    : [];
  if (!ran && !started.includes(guest.vm_state)) return;
  try {
    const real = await powerStateOf(seam, guest);
    if (real === powerState.running || real === powerState.paused) return;
    seam.log.info('starting a guest after the start of its host', { instance: uuid });
    // After a reboot its bridge may not be there yet.
    await seam.network.setupOnHost(adminContext(), networked(guest), seam.host);
    await seam.driver.powerOn(
      guest,
      await cachedNetworkInfo(seam.db, uuid),
      await attachmentsOf(seam.db, uuid),
    );
    // One that was stopped is told of by its rows as well, or it would be stopped again.
    await tryUpdateInstance(
      seam.db.knex,
      uuid,
      { vm_state: vmState.active, power_state: powerState.running },
      nowOf(seam),
      { host: seam.host, expectedTaskState: null },
    );
  } catch (error) {
    seam.log.error('cannot start a guest again', { instance: uuid, error });
    await setError(seam, guest);
  }
}
