import { readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { metricsOf, type Sample, type World } from '@folsom/core';
import { swiftMetrics } from './metrics.ts';
import { type ReconOptions, reconContents } from './recon.ts';
import { isMounted } from './storage-paths.ts';

/** Passes of daemons as they stand in recon's files: server, daemon, key, and seconds in its unit. */
const PASSES = [
  ['account', 'replicator', 'replication', 'replication_time', 1],
  ['container', 'replicator', 'replication', 'replication_time', 1],
  // The original writes minutes here.
  ['object', 'replicator', 'replication', 'object_replication_time', 60],
  ['container', 'updater', 'updater', 'container_updater_sweep', 1],
  ['object', 'updater', 'updater', 'object_updater_sweep', 1],
  ['object', 'expirer', 'expirer', 'object_expiration_pass', 1],
] as const;

/** Tells whoever looks what recon knows of a storage node. Gives back what ends it. */
export function reconMetrics(world: World, options: ReconOptions): () => void {
  const metrics = metricsOf(world);
  metrics.declare(swiftMetrics);
  const contents = reconContents(options);
  const number = (check: string, kind: string, key: string): number | null => {
    const value = (contents(check, kind) as Record<string, unknown> | undefined)?.[key];
    return typeof value === 'number' ? value : null;
  };
  const names = () => readdir(options.devices).catch(() => []);
  const usable = (device: string) => !options.mountCheck || isMounted(options.devices, device);
  const ended = [
    metrics.read(swiftMetrics.device, async () => {
      const samples: Sample<readonly ['device', 'state']>[] = [];
      for (const device of await names()) {
        if (!usable(device)) continue;
        const { bsize, blocks, bavail } = await statfs(join(options.devices, device));
        samples.push([[device, 'size'], bsize * blocks], [[device, 'free'], bsize * bavail]);
      }
      return samples;
    }),
    metrics.read(swiftMetrics.unmounted, async () => [
      [[], (await names()).filter(device => !usable(device)).length],
    ]),
    metrics.read(swiftMetrics.quarantined, () =>
      Object.entries(contents('quarantined', null) as Record<string, number>).map(([kind, count]) => [
        [kind],
        count,
      ]),
    ),
    metrics.read(swiftMetrics.pending, () => [[[], number('async', 'object', 'async_pending') ?? 0]]),
    metrics.read(swiftMetrics.expired, () => [[[], number('expirer', 'object', 'expired_last_pass') ?? 0]]),
    metrics.read(swiftMetrics.pass, () =>
      PASSES.flatMap(([server, daemon, check, key, unit]) => {
        const value = number(check, server, key);
        return value === null ? [] : [[[server, daemon], value * unit] as const];
      }),
    ),
  ];
  return () => {
    for (const end of ended) end();
  };
}
