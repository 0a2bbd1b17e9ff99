import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '@folsom/core';
import { buildGuestImage } from '@folsom/deploy/guest-image/build';

/** Where suites have the guest's image: it is built once on a machine, which takes half a minute. */
const DIRECTORY = process.env.FOLSOM_GUEST_IMAGE ?? '/var/cache/folsom/guest-image';

/** The folder with the image, built. */
export async function guestImage(): Promise<string> {
  await buildGuestImage({ directory: DIRECTORY, log: silentLogger });
  return DIRECTORY;
}

/** Gives a cloud that has not started yet the image, as if it had built it; without the packages that it was built of. */
export async function giveGuestImage(stateDirectory: string): Promise<void> {
  const from = await guestImage();
  const filter = (path: string) => path !== join(from, 'work');
  await cp(from, join(stateDirectory, 'guest-image'), { recursive: true, filter });
}
