import { type Config, commonOptions } from '@folsom/config';
import type { World } from '@folsom/core';
import { createMetrics, serveMetrics } from '@folsom/http';
import { watchDisks } from './disk-metrics.ts';
import { startExporter } from './tracing.ts';

export interface Observed {
  /** The world, with where to count and where spans go. */
  world: World;
  stop(): Promise<void>;
}

/**
 * What a program's configuration says about watching it: `metrics_port` has it tell Prometheus of itself, `otlp_endpoint` sends
 * spans to a collector. Without them nothing listens, and nothing is counted or sent.
 *
 * @param disks where it keeps things, by what they are
 */
export async function observe(
  config: Config,
  program: string,
  world: World,
  disks: Readonly<Record<string, string>> = {},
): Promise<Observed> {
  const { metrics_port, metrics_listen, otlp_endpoint } = config.of(commonOptions);
  const exporter = otlp_endpoint ? await startExporter(otlp_endpoint, program) : null;
  const traced = exporter ? { ...world, tracer: exporter.tracer } : world;
  if (metrics_port === 0) return { world: traced, stop: async () => exporter?.stop() };
  const metrics = createMetrics();
  watchDisks(metrics, disks);
  const served = await serveMetrics(metrics, { host: metrics_listen, port: metrics_port });
  world.log.info('metrics are served', { address: served.address });
  return {
    world: { ...traced, metrics },
    stop: async () => {
      await served.stop();
      await exporter?.stop();
    },
  };
}
