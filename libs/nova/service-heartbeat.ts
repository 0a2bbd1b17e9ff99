import { counter, metricsOf, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { ensureService, reportService, type ServiceIdentity } from './services.ts';

export interface HeartbeatOptions extends ServiceIdentity {
  db: Database;
  world: World;
  /** nova's report_interval, in seconds; 0 never reports. */
  reportIntervalS: number;
}

export const heartbeatMetrics = {
  reports: counter(
    'folsom_service_reports_total',
    'Reports of its life that a daemon wrote to the database (ok), or could not (failed).',
    ['binary', 'outcome'],
  ),
};

export interface Heartbeat {
  /** Id of the daemon's row in `services`. */
  readonly serviceId: number;
  stop(): Promise<void>;
}

/**
 * Makes the daemon known in `services` and reports its life until stopped. A database that is away is said once and
 * waited for; a row that somebody deleted is made again.
 */
export async function startHeartbeat(options: HeartbeatOptions): Promise<Heartbeat> {
  const { db, world, reportIntervalS, ...identity } = options;
  const now = () => world.clock.now();
  const metrics = metricsOf(world);
  metrics.add(heartbeatMetrics.reports, [identity.binary, 'ok'], 0);
  let serviceId = (await ensureService(db.knex, identity, now())).id;
  await reportService(db.knex, serviceId, identity.availability_zone, now());
  let away = false;
  let running: Promise<void> | undefined;

  const report = async () => {
    try {
      if (!(await reportService(db.knex, serviceId, identity.availability_zone, now()))) {
        serviceId = (await ensureService(db.knex, identity, now())).id;
        world.log.warn('the record of this service was gone and has been made again', { serviceId });
      }
      metrics.add(heartbeatMetrics.reports, [identity.binary, 'ok']);
      if (away) world.log.info('the database answers again');
      away = false;
    } catch (error) {
      metrics.add(heartbeatMetrics.reports, [identity.binary, 'failed']);
      if (!away) world.log.error('cannot report to the database', { error });
      away = true;
    }
  };
  const timer =
    reportIntervalS > 0
      ? world.clock.every(reportIntervalS * 1000, () => {
          // A slow database must not pile up reports.
          running ??= report().finally(() => {
            running = undefined;
          });
        })
      : undefined;
  return {
    get serviceId() {
      return serviceId;
    },
    async stop() {
      timer?.cancel();
      await running;
    },
  };
}
