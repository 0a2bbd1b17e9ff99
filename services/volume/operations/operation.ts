import { passing } from '@folsom/nova/passing';
import type { VolumeSeam } from '../seam.ts';

/** Keeps audits away from what is worked on, and from what comes again with its message. */
export async function repeatable(seam: VolumeSeam, id: string, work: () => Promise<void>): Promise<void> {
  seam.busy.add(id);
  try {
    await work();
    seam.busy.delete(id);
  } catch (error) {
    if (passing(error) === undefined) seam.busy.delete(id);
    throw error;
  }
}

/** Makes the row say that an operation failed for good, and goes on failing; what passes by itself is tried again. */
export async function failed(seam: VolumeSeam, error: unknown, mark: () => Promise<unknown>): Promise<never> {
  if (passing(error) !== undefined) throw error;
  await mark().catch(markError => seam.log.error('cannot write down a failure', { error: markError }));
  throw error;
}
