import { instanceRecord } from '@folsom/nova/instance-records';
import { vmState } from '@folsom/nova/instance-state';
import { movedFromOrTo } from '@folsom/nova/migrations';
import type { Guest, HostedGuests } from './driver.ts';
import { asGuest, type ComputeSeam } from './seam.ts';

/** States in which a guest has its chains, unless something is being done to it. */
const SETTLED: readonly string[] = [
  vmState.active,
  vmState.paused,
  vmState.suspended,
  vmState.stopped,
  vmState.rescued,
  vmState.resized,
];
/** A change of the rows and the message that tells us of it are not one. */
const AGAIN_MS = 5_000;
const TOLD_MAX = 20;

/** Guests of a host by what its packet filter must have of them. */
export async function hostedGuests(
  seam: Pick<ComputeSeam, 'db' | 'host'> & { settings: { instance_name_template: string } },
  here: readonly Guest[],
): Promise<HostedGuests> {
  const settled = here.filter(guest => guest.task_state === null && SETTLED.includes(guest.vm_state));
  const known = new Set(here.map(guest => guest.uuid));
  // After a resize the old copy stays where it was until somebody has decided.
  const moved = (await movedFromOrTo(seam.db.knex, seam.host)).filter(uuid => !known.has(uuid));
  const elsewhere = await Promise.all(
    moved.map(uuid => instanceRecord(seam.db.knex, uuid).catch(() => undefined)),
  );
  const others = [
    ...here.filter(guest => !settled.includes(guest)),
    ...elsewhere.flatMap(record => (record === undefined ? [] : [asGuest(seam, record)])),
  ];
  return { settled, others };
}

/**
 * Compares the host's packet filter with the rows. What is wrong and stays wrong is told and put right: a message that was
 * lost, or a hand that was at it, leaves nothing open for longer than this takes to come round.
 */
export async function auditFirewall(seam: ComputeSeam, guests: () => Promise<Guest[]>): Promise<void> {
  const look = async () => hostedGuests(seam, await guests());
  const seen = await seam.driver.checkFirewall(await look(), false);
  if (seen.length === 0) return;
  await seam.world.clock.sleep(AGAIN_MS);
  const now = await look();
  const again = new Set(await seam.driver.checkFirewall(now, false));
  const standing = seen.filter(difference => again.has(difference));
  if (standing.length === 0) return;
  seam.log.error('the packet filter is not what the security groups say; it is put right', {
    count: standing.length,
    differences: standing.slice(0, TOLD_MAX),
  });
  await seam.driver.checkFirewall(now, true);
}
