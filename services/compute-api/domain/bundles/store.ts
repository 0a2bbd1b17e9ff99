import { createHmac } from 'node:crypto';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { OptionValues } from '@folsom/config';
import type { Clock, RequestContext } from '@folsom/core';
import type { novaOptions } from '@folsom/nova/options';
import { type Door, operatorDoor } from '@folsom/outbound';
import { computeFault } from '../faults.ts';
import { BUNDLE_LIMITS } from './limits.ts';

/** Where bundles lie: the S3 store that the configuration names. Users name buckets and files of it, never a place. */
export interface BundleStore {
  /** A small file. @throws Fault `BundleNotFound`, `InvalidBundle` when it is too large */
  manifest(context: RequestContext, path: string): Promise<Buffer>;
  /** @throws Error */
  part(context: RequestContext, path: string, signal: AbortSignal): Promise<Readable>;
  close(): Promise<void>;
}

type Settings = Pick<
  OptionValues<(typeof novaOptions)['options']>,
  's3_host' | 's3_port' | 's3_use_ssl' | 's3_access_key' | 's3_secret_key' | 's3_affix_tenant'
>;

export function bundleStore(settings: Settings, clock: Clock, door: Door = operatorDoor()): BundleStore {
  const root = `${settings.s3_use_ssl ? 'https' : 'http'}://${settings.s3_host}:${settings.s3_port}`;
  const get = async (context: RequestContext, path: string, signal?: AbortSignal) => {
    const target = `/${path
      .split('/')
      .map(part => encodeURIComponent(part.toWellFormed()))
      .join('/')}`;
    const answer = await door.request(root + target, {
      method: 'GET',
      headers: signed(settings, context, target, clock.now()),
      ...(signal ? { signal } : {}),
    });
    // Who reads it is told of its errors; one that nobody reads to its end is cut off.
    answer.body.on('error', () => {});
    if (answer.status === 200) return answer.body;
    answer.body.destroy();
    throw new Error(`the store of bundles answered ${answer.status} for ${path}`);
  };
  return {
    manifest: async (context, path) => {
      const signal = AbortSignal.timeout(BUNDLE_LIMITS.manifestMs);
      try {
        return await buffer(limited(await get(context, path, signal)));
      } catch (cause) {
        throw computeFault('BundleNotFound', { location: path }, { cause });
      }
    },
    part: get,
    close: () => door.close(),
  };
}

async function* limited(body: Readable): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > BUNDLE_LIMITS.manifestBytesMax) throw new Error('the manifest is too large');
    yield piece;
  }
}

/** As S3 wants requests signed; a nova-objectstore does not look at it. */
function signed(
  settings: Settings,
  { projectId }: RequestContext,
  target: string,
  now: number,
): Record<string, string> {
  const access = settings.s3_affix_tenant ? `${settings.s3_access_key}:${projectId}` : settings.s3_access_key;
  const date = new Date(now).toUTCString();
  const signature = createHmac('sha1', settings.s3_secret_key)
    .update(`GET\n\n\n${date}\n${target}`)
    .digest('base64');
  return { date, authorization: `AWS ${access}:${signature}` };
}
