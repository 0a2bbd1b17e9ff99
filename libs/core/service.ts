import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { Random } from './random.ts';
import type { Tracer } from './tracing.ts';

/** The seam to the world that every service is handed. */
export interface World {
  clock: Clock;
  random: Random;
  log: Logger;
  /** Absent: nobody counts. */
  metrics?: Metrics;
  /** Absent: nobody collects spans. */
  tracer?: Tracer;
}

/** What `startX(...)` of every service resolves to. */
export interface RunningService {
  /** Folsom's program name, e.g. `nova-scheduler`. */
  name: string;
  /** `host:port` of each listener; empty for services that only use the bus. */
  addresses: readonly string[];
  /** Finishes what is in flight, refuses new work, frees everything. Safe to call twice. */
  stop(): Promise<void>;
}
