import type { Config } from '@folsom/config';
import { adminContext, keyedMutex, metricsOf, type RunningService, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { ImageClient } from '@folsom/nova/image-transfer';
import { passing } from '@folsom/nova/passing';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import { volumeContract } from '@folsom/nova/rpc/volume';
import { startHeartbeat } from '@folsom/nova/service-heartbeat';
import { volumeStatus } from '@folsom/nova/volume-state';
import type { Bus, Served } from '@folsom/rpc';
import type { VolumeDriver } from './driver.ts';
import { abandoned, volumeHandlers } from './handlers.ts';
import { volumeMetrics } from './metrics.ts';
import { usageNotifier } from './notifications.ts';
import { expireLost, resume, takeOver } from './recovery.ts';
import type { StepObserver, VolumeSeam } from './seam.ts';
import { settingsOf } from './settings.ts';

export interface VolumeServiceOptions {
  config: Config;
  db: Database;
  bus: Bus;
  world: World;
  driver: VolumeDriver;
  images: ImageClient;
  /** Told every step of every operation before it runs; for tests. */
  observe?: StepObserver;
}

export interface RunningVolume extends RunningService {
  /** Runs all periodic work now. */
  tick(): Promise<void>;
  /** Its place on the bus. */
  readonly served: Served;
}

/** Work that nobody does, or that no host got, after this time has lost its message. */
const LOST_MESSAGE_MS = 600_000;

/** Starts nova-volume: takes over the volumes of this host, then serves the bus. */
export async function startVolume(options: VolumeServiceOptions): Promise<RunningVolume> {
  const { config, db, bus, world, driver } = options;
  const settings = settingsOf(config);
  const { host } = settings;
  const log = world.log.child({ service: 'nova-volume' });
  const seam: VolumeSeam = {
    db,
    world,
    log,
    host,
    settings,
    driver,
    images: options.images,
    notify: usageNotifier({ bus, db, world: { ...world, log }, settings }),
    inTurn: keyedMutex(),
    busy: new Set(),
    observe: options.observe,
  };
  await driver.init();
  if (driver.name === 'fake') log.warn('the fake driver is in use: volumes hold nothing that lasts');
  await takeOver(seam);

  let reported = '';
  let last: Readonly<Record<string, string | number>> | undefined;
  const metrics = metricsOf(world);
  metrics.declare(volumeMetrics);
  const untold = metrics.read(volumeMetrics.capacity, () =>
    (['total', 'free'] as const).flatMap(state => {
      const gigabytes = last?.[`${state}_capacity_gb`];
      return typeof gigabytes === 'number' ? [[[host, state], gigabytes * 2 ** 30] as const] : [];
    }),
  );
  const capabilities = async (always = true): Promise<void> => {
    const stats = await driver.stats();
    last = stats;
    const text = JSON.stringify(stats);
    if (stats === undefined || (!always && text === reported && !settings.volume_force_update_capabilities))
      return;
    reported = text;
    await schedulerContract
      .client({ ...bus, cast: (context, topic, message) => bus.fanout(context, topic, message) })
      .update_service_capabilities(adminContext(), { service_name: 'volume', host, capabilities: stats });
  };
  const served = await volumeContract.serve(bus, host, volumeHandlers(seam, capabilities), {
    passing,
    abandoned: (context, method, args) => abandoned(seam, context, method, args),
  });
  const beat = await startHeartbeat({
    db,
    world,
    reportIntervalS: settings.report_interval,
    enabledAtFirst: settings.enable_new_services,
    host,
    binary: 'nova-volume',
    topic: settings.volume_topic,
    availability_zone: settings.storage_availability_zone,
  });
  await capabilities().catch(error => log.warn('cannot report capabilities', { error }));

  // Beside serving: wiping takes its time.
  let running: Promise<void> = resume(seam, 0, [volumeStatus.deleting]).catch(error =>
    log.error('recovery failed', { error }),
  );
  const work = async (): Promise<void> => {
    await resume(seam, LOST_MESSAGE_MS);
    await expireLost(seam, LOST_MESSAGE_MS);
    await capabilities(false);
  };
  const tick = (): Promise<void> => {
    running = running.then(work).catch(error => log.error('periodic work failed', { error }));
    return running;
  };
  const timer = world.clock.every(settings.periodic_interval * 1000, () => void tick());
  log.info('volume service started', { host, driver: driver.name });

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    timer.cancel();
    untold();
    await served.stop();
    await beat.stop();
    await running;
  };
  return {
    name: 'nova-volume',
    addresses: [],
    tick,
    served,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
