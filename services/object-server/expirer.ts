import type { World } from '@folsom/core';
import { must } from '@folsom/core';
import { type ConfSection, writeReconCache } from '@folsom/swift';
import { quotePath } from '@folsom/swift-http';

/** Options of `[object-expirer]`. */
export interface ExpirerOptions {
  intervalMs: number;
  reportIntervalMs: number;
  requestTries: number;
  account: string;
  reconCache: string;
}

export const expirerOptions = (conf: ConfSection): ExpirerOptions => ({
  intervalMs: (conf.int('interval', 300) || 300) * 1000,
  reportIntervalMs: (conf.int('report_interval', 300) || 300) * 1000,
  requestTries: Math.max(1, conf.int('request_tries', 3)),
  account: `${conf.str('auto_create_account_prefix', '.') || '.'}expiring_objects`,
  reconCache: `${conf.str('recon_cache_path', '/var/cache/swift')}/object.recon`,
});

/** A request to the proxy's application, inside the process and without authorization. `path` is quoted. */
export type InternalSwift = (
  method: string,
  path: string,
  headers?: Record<string, string>,
) => Promise<{ status: number; body: Buffer }>;

export interface ExpirerSettings {
  options: ExpirerOptions;
  swift: InternalSwift;
  world: World;
}

const LISTING_LIMIT = 10_000;
/** First wait before a request is tried again; doubles. */
const RETRY_MS = 500;

/** Deletes the objects whose time has come: one pass over the hidden account that lists them. */
export async function expireObjects(settings: ExpirerSettings, signal?: AbortSignal): Promise<number> {
  const { options, world } = settings;
  const { clock } = world;
  const log = world.log.child({ service: 'object-expirer' });
  const own: ExpirerSettings = { ...settings, world: { ...world, log } };
  const started = clock.monotonic();
  let reported = started;
  let expired = 0;
  const now = () => Math.floor(clock.now() / 1000);
  log.info('expiration pass begins');
  pass: for await (const container of names(own, quotePath(options.account), signal)) {
    // Containers are named for the time of the earliest end in them, in order.
    if (!/^\d+$/.test(container) || Number(container) > now()) break;
    const at = `${quotePath(options.account)}/${container}`;
    for await (const object of names(own, at, signal)) {
      const form = /^(\d+)-(.+)$/s.exec(object);
      if (!form) continue;
      if (Number(form[1]) > now()) continue pass;
      try {
        await ask(own, 'DELETE', `/v1/${quotePath(must(form[2], 'the pattern has group 2'))}`, [404, 412], {
          'x-if-delete-at': must(form[1], 'the pattern has group 1'),
        });
        await ask(own, 'DELETE', `/v1/${at}/${quotePath(object)}`, [404]);
        expired++;
      } catch (error) {
        signal?.throwIfAborted();
        log.error('cannot expire object', { container, object, reason: (error as Error).message });
      }
      if (clock.monotonic() - reported < options.reportIntervalMs) continue;
      reported = clock.monotonic();
      log.info('expiration pass so far', { seconds: Math.round((reported - started) / 1000), expired });
    }
    try {
      await ask(own, 'DELETE', `/v1/${at}`, [404, 409]);
    } catch (error) {
      log.error('cannot delete container', { container, reason: (error as Error).message });
    }
  }
  const seconds = (clock.monotonic() - started) / 1000;
  log.info('expiration pass completed', { seconds: Math.round(seconds), expired });
  writeReconCache(
    options.reconCache,
    { object_expiration_pass: seconds, expired_last_pass: expired },
    { log, random: world.random },
  );
  return expired;
}

/** The names in an account or container, page by page. */
async function* names(
  settings: ExpirerSettings,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void> {
  let marker = '';
  for (;;) {
    signal?.throwIfAborted();
    const query = `?format=json&limit=${LISTING_LIMIT}&marker=${encodeURIComponent(marker)}`;
    const { status, body } = await ask(settings, 'GET', `/v1/${path}${query}`, [404]);
    if (status === 404 || status === 204) return;
    const listed = JSON.parse(body.toString('utf8')) as { name: string }[];
    if (listed.length === 0) return;
    for (const { name } of listed) yield name;
    marker = must(listed.at(-1), 'listed is not empty').name;
  }
}

/** A request that is tried again while it fails otherwise than by one of the accepted statuses. */
async function ask(
  { swift, options, world }: ExpirerSettings,
  method: string,
  path: string,
  accepted: readonly number[],
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Buffer }> {
  let failure: unknown;
  for (let attempt = 0; attempt < options.requestTries; attempt++) {
    if (attempt > 0) await world.clock.sleep(RETRY_MS * 2 ** (attempt - 1));
    try {
      const response = await swift(method, path, headers);
      if (Math.floor(response.status / 100) === 2 || accepted.includes(response.status)) return response;
      failure = new Error(`${method} ${path} answered ${response.status}`);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
