import { createSocket } from 'node:dgram';
import { metricsOf, type World } from '@folsom/core';
import { EACH_METHODS } from './each-replica.ts';
import { swiftMetrics } from './metrics.ts';
import type { ConfSection } from './swift-conf.ts';
import { BATCH_METHOD } from './update-batch.ts';

/** Counters and times of a server, for a statsd daemon. Nothing here ever fails or waits. */
export interface Stats {
  /** Adds to a counter. */
  count(metric: string, by?: number): void;
  /** A duration. */
  timing(metric: string, ms: number): void;
  close(): void;
}

/** A world whose servers report to statsd. */
export interface MeteredWorld extends World {
  stats?: Stats;
}

export const NO_STATS: Stats = { count: () => {}, timing: () => {}, close: () => {} };

export const statsOf = (world: World): Stats => (world as MeteredWorld).stats ?? NO_STATS;

/**
 * What a section's `log_statsd_host`, `_port`, `_default_sample_rate` and `_metric_prefix` ask for. `prefix` (of the
 * options, e.g. `access_`) goes before their names; `name` between the metric prefix and each metric.
 */
export function statsFrom(conf: ConfSection, name: string, world: World, prefix = ''): Stats {
  const option = (of: string): string => (conf.has(`${prefix}${of}`) ? `${prefix}${of}` : of);
  const host = conf.str(option('log_statsd_host'), '');
  if (host === '') return NO_STATS;
  const port = conf.int(option('log_statsd_port'), 8125);
  const rate = conf.float(option('log_statsd_default_sample_rate'), 1);
  const base = [conf.str(option('log_statsd_metric_prefix'), ''), name].filter(Boolean).join('.');
  const socket = createSocket('udp4');
  socket.unref();
  socket.on('error', () => {});
  const send = (metric: string, value: number, type: 'c' | 'ms'): void => {
    const text = `${base}.${metric}:${value}|${type}${rate < 1 ? `|@${rate}` : ''}`;
    socket.send(text, port, host, () => {});
  };
  // By chance, unlike the original, which says @rate and yet sends everything: sums came out too high.
  const chosen = (): boolean => rate >= 1 || world.random.int(1_000_000) < rate * 1_000_000;
  return {
    count: (metric, by = 1) => {
      if (by !== 0 && chosen()) send(metric, by, 'c');
    },
    timing: (metric, ms) => {
      if (chosen()) send(metric, ms, 'ms');
    },
    close: () => socket.close(),
  };
}

const METHODS = new Set([
  'GET',
  'HEAD',
  'PUT',
  'POST',
  'DELETE',
  'COPY',
  'OPTIONS',
  'REPLICATE',
  BATCH_METHOD,
  ...Object.values(EACH_METHODS),
]);

/** A request's method as a label: what nobody knows is one of them. */
export const methodLabel = (method: string): string => (METHODS.has(method) ? method : '(unknown)');

/** Counts a storage server's answer: its time, or an error when the request was wrong or the device is away. */
export function countAnswer(world: World, server: string, method: string, status: number, ms: number): void {
  metricsOf(world).observe(swiftMetrics.requests, [server, methodLabel(method), String(status)], ms / 1000);
  const stats = statsOf(world);
  if (stats === NO_STATS) return;
  if (status === 400 || status >= 500) stats.count(`${method}.errors`);
  else if (status === 408) stats.count(`${method}.timeouts`);
  else stats.timing(`${method}.timing`, ms);
}
