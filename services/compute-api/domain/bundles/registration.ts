import { createDecipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Clock, elevated, type Logger, type RequestContext } from '@folsom/core';
import type { ImageClient } from '@folsom/nova/image-client';
import type { ImageClient as ImageTransfer } from '@folsom/nova/image-transfer';
import { certContract } from '@folsom/nova/rpc/cert';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import type { Bus } from '@folsom/rpc';
import { imageInArchive } from './archive.ts';
import { BUNDLE_LIMITS } from './limits.ts';
import type { BundleManifest } from './manifest.ts';
import type { BundleStore } from './store.ts';

/** A bundle whose image is registered and still has no bytes. */
export interface Registration {
  context: RequestContext;
  image: ImageWire;
  /** `bucket/path of the manifest`. */
  location: string;
  manifest: BundleManifest;
}

export interface RegistrationParts {
  store: BundleStore;
  images: ImageClient;
  transfer: ImageTransfer;
  bus: Bus;
  log: Logger;
  clock: Clock;
}

/** What Folsom calls the steps; a step that fails is `failed_` and its last word. */
type Step = 'downloading' | 'decrypting' | 'untarring' | 'uploading';
export const FAILED: Record<Step, string> = {
  downloading: 'failed_download',
  decrypting: 'failed_decrypt',
  untarring: 'failed_untar',
  uploading: 'failed_upload',
};

/**
 * Fetches the pieces of a bundle, decrypts, unpacks and uploads them in one stream, without a file in between. How far it
 * is stands in the image's property `image_state`, as in Folsom. False when it was stopped before its end. Never rejects.
 */
export async function fillFromBundle(
  parts: RegistrationParts,
  registration: Registration,
  stopped: AbortSignal,
): Promise<boolean> {
  const { context, image } = registration;
  const steps = stepsOf(parts, registration);
  const failure = new AbortController();
  const signal = AbortSignal.any([
    stopped,
    failure.signal,
    AbortSignal.timeout(BUNDLE_LIMITS.registrationMs),
  ]);
  try {
    await steps.enter('downloading');
    const pieces = partsOf(parts, registration, signal);
    // Nothing is decrypted before there is something.
    const first = await pieces.next();
    await steps.enter('decrypting');
    const decipher = await decipherOf(parts, registration);
    const archive = createGunzip();
    const unpacked = new PassThrough();
    const packing = pipeline(
      steps.during('downloading', joined(first, pieces)),
      decipherIn(decipher, steps),
      archive,
      source => steps.during('untarring', imageInArchive(source as AsyncIterable<Buffer>)),
      unpacked,
      { signal },
    );
    packing.catch(() => {});
    await steps.enter('untarring');
    await Promise.race([packing, once(unpacked, 'readable', { signal })]);
    await steps.enter('uploading');
    const upload = parts.transfer.upload(
      context,
      image.id,
      { properties: { image_state: 'available' } },
      unpacked,
      signal,
    );
    await Promise.all([packing, upload.catch(error => steps.blame('uploading', error))]);
    parts.log.info('an image is registered from its bundle', {
      requestId: context.requestId,
      image: image.id,
    });
    return true;
  } catch (error) {
    failure.abort(error);
    if (stopped.aborted) return false;
    await steps.failed(error);
    return true;
  }
}

function stepsOf({ images, log }: RegistrationParts, { context, image }: Registration) {
  let step: Step = 'downloading';
  let blamed: Step | undefined;
  const blame = (at: Step, error: unknown): never => {
    blamed ??= at;
    throw error;
  };
  const write = (state: string) =>
    images.update(context, image.id, { properties: { ...image.properties, image_state: state } });
  return {
    blame,
    enter: async (next: Step) => {
      step = next;
      await write(next);
    },
    /** Whatever breaks in there is this step's. */
    during: async function* <T>(at: Step, source: AsyncIterable<T>): AsyncGenerator<T> {
      try {
        yield* source;
      } catch (error) {
        blame(at, error);
      }
    },
    failed: async (error: unknown) => {
      const state = FAILED[blamed ?? step];
      log.error('an image cannot be made from its bundle', {
        requestId: context.requestId,
        image: image.id,
        state,
        error,
      });
      await write(state).catch(problem =>
        log.warn('the state of an image cannot be written', { image: image.id, error: problem }),
      );
    },
  };
}

type Steps = ReturnType<typeof stepsOf>;

async function* partsOf(
  { store }: RegistrationParts,
  { context, location, manifest }: Registration,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const [bucket] = location.split('/');
  for (const { filename, sha1 } of manifest.parts) {
    const digest = createHash('sha1');
    for await (const piece of (await store.part(
      context,
      `${bucket}/${filename}`,
      signal,
    )) as AsyncIterable<Buffer>) {
      digest.update(piece);
      yield piece;
    }
    if (sha1 !== null && digest.digest('hex') !== sha1) throw new Error(`the part ${filename} is damaged`);
  }
}

async function* joined(first: IteratorResult<Buffer>, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (!first.done) yield first.value;
  yield* rest;
}

/** The key and vector are hexadecimal texts, encrypted for the cloud's certificate, whose key only nova-cert has. */
async function decipherOf({ bus }: RegistrationParts, { context, manifest }: Registration) {
  const cert = certContract.client(bus);
  const decrypted = async (encrypted: Buffer): Promise<Buffer> => {
    const text = await cert.decrypt_text(elevated(context), {
      project_id: context.projectId,
      text: encrypted.toString('base64'),
    });
    const digits = text.trim();
    if (!/^[0-9a-f]{1,32}$/i.test(digits)) throw new Error('what was encrypted for the cloud is no key');
    // As openssl's command line fills up what is short.
    return Buffer.from(digits.padEnd(32, '0'), 'hex');
  };
  const [key, iv] = [await decrypted(manifest.encryptedKey), await decrypted(manifest.encryptedIv)];
  return createDecipheriv('aes-128-cbc', key, iv);
}

const decipherIn = (decipher: ReturnType<typeof createDecipheriv>, steps: Steps) =>
  async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of source) yield decipher.update(piece);
    try {
      yield decipher.final();
    } catch (error) {
      steps.blame('decrypting', error);
    }
  };
