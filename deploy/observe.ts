import { type Config, commonOptions } from '@folsom/config';
import type { World } from '@folsom/core';
import { createMetrics, serveMetrics } from '@folsom/http';
import { watchDisks } from './disk-metrics.ts';

export interface Observed {
  /** The world, with where to count and where spans go. */
  world: World;
  stop(): Promise<void>;
}

/**
 * What a program's configuration says about watching it: `metrics_port` has it tell Prometheus of itself. Without it nothing
 * listens and nothing is counted.
 *
 * @param disks where it keeps things, by what they are
 */
export async function observe(
  config: Config,
  world: World,
  disks: Readonly<Record<string, string>> = {},
): Promise<Observed> {
  const { metrics_port, metrics_listen } = config.of(commonOptions);
  if (metrics_port === 0) return { world, stop: async () => {} };
  const metrics = createMetrics();
  watchDisks(metrics, disks);
  const served = await serveMetrics(metrics, { host: metrics_listen, port: metrics_port });
  world.log.info('metrics are served', { address: served.address });
  return { world: { ...world, metrics }, stop: served.stop };
}
