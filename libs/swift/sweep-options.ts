import type { ConfSection } from './swift-conf.ts';

/** What the updaters of containers and of objects have in common; times in milliseconds. */
export interface SweepOptions {
  devices: string;
  mountCheck: boolean;
  intervalMs: number;
  concurrency: number;
  slowdownMs: number;
  nodeTimeoutMs: number;
  connTimeoutMs: number;
}

export const sweepOptions = (
  conf: ConfSection,
  defaults: { concurrency: number; nodeTimeout: number },
): SweepOptions => ({
  devices: conf.str('devices', '/srv/node'),
  mountCheck: conf.bool('mount_check', true),
  intervalMs: conf.int('interval', 300) * 1000,
  concurrency: Math.max(1, conf.int('concurrency', defaults.concurrency)),
  slowdownMs: conf.float('slowdown', 0.01) * 1000,
  nodeTimeoutMs: conf.float('node_timeout', defaults.nodeTimeout) * 1000,
  connTimeoutMs: conf.float('conn_timeout', 0.5) * 1000,
});
