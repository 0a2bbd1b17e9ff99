import { join } from 'node:path';
import {
  ContainerDb,
  databasesOf,
  eachOf,
  isReported,
  openWhenFree,
  usableDevices,
} from '@folsom/container-db';
import type { World } from '@folsom/core';
import type { Ring } from '@folsom/ring';
import {
  type ConfSection,
  type Pass,
  type PathHash,
  type SweepOptions,
  sweepOptions,
  writeReconCache,
} from '@folsom/swift';
import { type InternalClient, internalText, quotePath } from '@folsom/swift-http';

/** Options of `[container-updater]`. */
export interface UpdaterOptions extends SweepOptions {
  /** How long an account that could not be told is left alone. */
  accountSuppressionMs: number;
  reconCachePath: string;
}

export const updaterOptions = (conf: ConfSection): UpdaterOptions => ({
  ...sweepOptions(conf, { concurrency: 4, nodeTimeout: 3 }),
  accountSuppressionMs: conf.float('account_suppression_time', 60) * 1000,
  reconCachePath: conf.str('recon_cache_path', '/var/cache/swift'),
});

export interface UpdaterParts {
  options: UpdaterOptions;
  ring: Ring;
  pathHash: PathHash;
  client: InternalClient;
  world: World;
}

/** One sweep of the updater: accounts are told of containers whose numbers changed. */
export function updaterPass(
  parts: UpdaterParts,
): Pass & { counts: () => Record<'successes' | 'failures' | 'unchanged', number> } {
  const { options, ring, world } = parts;
  const log = world.log.child({ service: 'swift-container-updater' });
  const suppressed = new Map<string, number>();
  let counts = { successes: 0, failures: 0, unchanged: 0 };

  const visit = async (path: string): Promise<void> => {
    let db: ContainerDb | null = null;
    try {
      db = await openWhenFree(ContainerDb, path, { world: { ...world, log } });
      const stat = db.stat();
      // A container that only updates made has no numbers worth telling.
      if (Number(stat.put_timestamp) <= 0 || (suppressed.get(stat.account) ?? 0) > world.clock.monotonic())
        return;
      if (isReported(stat)) {
        counts.unchanged++;
        return;
      }
      const partition = ring.partition(parts.pathHash.prefix(stat.account));
      const nodes = ring.nodes(partition);
      const told = await Promise.all(
        nodes.map(async node => {
          try {
            const response = await parts.client.request(node, {
              method: 'PUT',
              path: `/${node.device}/${partition}${quotePath(`/${stat.account}/${stat.container}`)}`,
              headers: [
                ['X-Put-Timestamp', stat.put_timestamp],
                ['X-Delete-Timestamp', stat.delete_timestamp],
                ['X-Object-Count', String(stat.object_count)],
                ['X-Bytes-Used', String(stat.bytes_used)],
                ['X-Account-Override-Deleted', 'yes'],
              ],
              connectTimeoutMs: options.connTimeoutMs,
              timeoutMs: options.nodeTimeoutMs,
            });
            await internalText(response);
            return response.status >= 200 && response.status < 300;
          } catch (error) {
            log.error('an account server failed', { node: `${node.ip}:${node.port}/${node.device}`, error });
            return false;
          }
        }),
      );
      if (told.filter(Boolean).length * 2 > told.length) {
        counts.successes++;
        db.reported(stat.put_timestamp, stat.delete_timestamp, stat.object_count, stat.bytes_used);
      } else {
        counts.failures++;
        suppressed.set(stat.account, world.clock.monotonic() + options.accountSuppressionMs);
      }
    } catch (error) {
      counts.failures++;
      log.error('cannot report a container', { path, error });
    } finally {
      db?.close();
    }
    if (options.slowdownMs > 0) await world.clock.sleep(options.slowdownMs);
  };

  return {
    name: 'swift-container-updater',
    counts: () => counts,
    run: async signal => {
      const began = world.clock.monotonic();
      counts = { successes: 0, failures: 0, unchanged: 0 };
      for (const [account, until] of suppressed) if (until < began) suppressed.delete(account);
      const devices = await usableDevices(options.devices, options.mountCheck, log);
      const databases = databasesOf(options.devices, 'container', devices);
      await eachOf(databases, options.concurrency, signal, ({ path }) => visit(path));
      const seconds = (world.clock.monotonic() - began) / 1000;
      log.info('sweep completed', { seconds, ...counts });
      writeReconCache(
        join(options.reconCachePath, 'container.recon'),
        { container_updater_sweep: seconds },
        { log, random: world.random },
      );
    },
  };
}
