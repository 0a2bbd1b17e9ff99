import { isFault } from '@folsom/core';
import type { JournalEntry } from './journal.ts';
import { BUNDLE_LIMITS } from './limits.ts';
import { readManifest } from './manifest.ts';
import { FAILED, type Registration, type RegistrationParts } from './registration.ts';

/** What no other try changes. */
const FINAL: ReadonlySet<string> = new Set(['ImageNotAuthorized', 'InvalidBundle']);

/**
 * A registration that a former life accepted, from its beginning. It is asked for until the services it needs answer; undefined
 * where there is nothing to do: the image is gone or done, or cannot be made any more, which its state says then.
 *
 * Bytes that had begun to come when that life ended are not sent again: the image service has given such an image up.
 */
export async function takenUp(
  parts: RegistrationParts,
  entry: JournalEntry,
  stopped: AbortSignal,
): Promise<Registration | 'stopped' | undefined> {
  const log = parts.log.child({ requestId: entry.context.requestId, image: entry.imageId });
  for (let tries = 1; ; tries++) {
    try {
      const registration = await again(parts, entry);
      if (registration) log.info('an image is registered once more from its bundle');
      return registration;
    } catch (error) {
      if (stopped.aborted) return 'stopped';
      if (isFault(error, 'ImageNotFound')) return undefined;
      if ((isFault(error) && FINAL.has(error.name)) || tries >= BUNDLE_LIMITS.resumptionsMax) {
        log.error('an image that was being registered is given up', { error });
        await say(parts, entry, FAILED.downloading);
        return undefined;
      }
      log.warn('a registration cannot be taken up yet', { error });
      await parts.clock.sleep(BUNDLE_LIMITS.resumptionMs, stopped).catch(() => {});
      if (stopped.aborted) return 'stopped';
    }
  }
}

async function again(parts: RegistrationParts, entry: JournalEntry): Promise<Registration | undefined> {
  const { context, imageId, location } = entry;
  const image = await parts.images.show(context, imageId);
  if (image.status === 'active') return undefined;
  if (image.status !== 'queued') {
    await say(parts, entry, FAILED.uploading);
    return undefined;
  }
  return { context, image, location, manifest: readManifest(await parts.store.manifest(context, location)) };
}

/** What the image's owner reads of it; the caller's rights may be over by now. */
async function say(
  parts: RegistrationParts,
  { context, imageId }: JournalEntry,
  state: string,
): Promise<void> {
  try {
    const { properties } = await parts.images.show(context, imageId);
    await parts.images.update(context, imageId, { properties: { ...properties, image_state: state } });
  } catch (error) {
    parts.log.warn('the state of an image cannot be written', { image: imageId, error });
  }
}
