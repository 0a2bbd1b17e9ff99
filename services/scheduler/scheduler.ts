import type { Config } from '@folsom/config';
import { metricsOf, type RunningService, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { instanceNotifier } from '@folsom/nova/instance-notifications';
import { novaOptions } from '@folsom/nova/options';
import { novaOutbox, type Outbox } from '@folsom/nova/outbox';
import { passing } from '@folsom/nova/passing';
import { refreshUsage, tenantsToRefresh } from '@folsom/nova/quota-lock';
import { expireReservations } from '@folsom/nova/reservations';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import { startHeartbeat } from '@folsom/nova/service-heartbeat';
import { type Bus, createNotifier } from '@folsom/rpc';
import { attestation } from './attestation.ts';
import { chanceScheduler } from './chance-scheduler.ts';
import { configOptions } from './config-options.ts';
import { chooseDriver } from './drivers.ts';
import { filterScheduler } from './filter-scheduler.ts';
import { chooseFilters } from './filters/catalogue.ts';
import { giveUp, schedulerHandlers } from './handlers.ts';
import { hostStates } from './host-state.ts';
import { schedulerMetrics } from './metrics.ts';
import { schedulerOptions, trustOptions } from './options.ts';
import { simpleScheduler } from './simple-scheduler.ts';
import { sqlSources } from './sources.ts';
import { chooseCosts } from './weights/catalogue.ts';

export interface SchedulerServiceOptions {
  /** Declares novaOptions, schedulerOptions and trustOptions. */
  config: Config;
  db: Database;
  bus: Bus;
  world: World;
  /** Default: one of its own. */
  outbox?: Outbox;
}

/** Tenants whose written use of quota is put right in one periodic run. */
const TENANTS_A_RUN = 200;

interface DriverParts {
  world: World;
  outbox: Outbox;
  sources: ReturnType<typeof sqlSources>;
  hosts: ReturnType<typeof hostStates>;
  notify: ReturnType<typeof createNotifier>;
}

/** The driver that `scheduler_driver` and its neighbours name, with all that its decisions go by. */
function configuredDriver(config: Config, { world, outbox, sources, hosts, notify }: DriverParts) {
  const settings = config.of(novaOptions);
  const own = config.of(schedulerOptions);
  const serviceDownTimeMs = settings.service_down_time * 1000;
  const seam = { bus: outbox.bus, outbox, world, instanceNameTemplate: settings.instance_name_template };
  const maxAttempts = settings.scheduler_max_attempts;
  const chance = { seam, sources, world, serviceDownTimeMs, maxAttempts };
  return chooseDriver(settings, {
    filter: () =>
      filterScheduler({
        seam,
        notify,
        maxAttempts,
        configOptions: configOptions(settings.scheduler_json_config_location, world),
        selector: {
          metrics: world.metrics,
          hosts,
          filters: chooseFilters(settings.scheduler_available_filters, settings.scheduler_default_filters),
          costs: chooseCosts(settings.least_cost_functions, {
            noop_cost_fn_weight: settings.noop_cost_fn_weight,
            compute_fill_first_cost_fn_weight: settings.compute_fill_first_cost_fn_weight,
          }),
          seam: {
            sources,
            clock: world.clock,
            log: world.log,
            attest: attestation(config.of(trustOptions), world.log),
            settings: {
              serviceDownTimeMs,
              cpuAllocationRatio: settings.cpu_allocation_ratio,
              ramAllocationRatio: settings.ram_allocation_ratio,
              diskAllocationRatio: settings.disk_allocation_ratio,
              isolatedImages: settings.isolated_images,
              isolatedHosts: settings.isolated_hosts,
            },
          },
        },
      }),
    chance: () => chanceScheduler(chance),
    simple: () => simpleScheduler({ ...chance, maxGigabytes: own.max_gigabytes }),
  });
}

/** Starts nova-scheduler. */
export async function startScheduler(options: SchedulerServiceOptions): Promise<RunningService> {
  const { config, db, bus } = options;
  const settings = config.of(novaOptions);
  const world: World = { ...options.world, log: options.world.log.child({ service: 'nova-scheduler' }) };
  metricsOf(world).declare(schedulerMetrics);
  const { host } = settings;
  const serviceDownTimeMs = settings.service_down_time * 1000;

  const sources = sqlSources(db);
  const hosts = hostStates(sources, world.clock);
  const notify = createNotifier({
    bus,
    world,
    publisherId: `scheduler.${host}`,
    drivers: settings.notification_driver,
    topics: settings.notification_topics,
  });
  const updates =
    settings.notify_on_any_change || settings.notify_on_state_change !== null
      ? instanceNotifier({ bus, db, world, service: 'scheduler', settings })
      : undefined;
  const outbox =
    options.outbox ?? novaOutbox({ db, bus, world, owner: `nova-scheduler:${host}`, takesOrphans: true });
  const driver = configuredDriver(config, { world, outbox, sources, hosts, notify });

  const beat = await startHeartbeat({
    db,
    world,
    host,
    binary: 'nova-scheduler',
    topic: settings.scheduler_topic,
    availability_zone: settings.node_availability_zone,
    reportIntervalS: settings.report_interval,
    enabledAtFirst: settings.enable_new_services,
  });
  if (options.outbox === undefined) await outbox.start();
  const served = await schedulerContract.serve(
    bus,
    host,
    schedulerHandlers({
      db,
      bus: outbox.bus,
      world,
      serviceDownTimeMs,
      driver,
      hosts,
      sources,
      notify,
      updates,
    }),
    { passing, abandoned: giveUp({ db, world }) },
  );
  let work = Promise.resolve();
  const periodic = world.clock.every(settings.periodic_interval * 1000, () => {
    work = work
      .then(async () => {
        const expired = await expireReservations(db.knex, world.clock.now());
        if (expired > 0) world.log.info('quota reservations expired', { expired });
        // What ended without writing down that the use has changed.
        for (const tenant of await tenantsToRefresh(db, TENANTS_A_RUN))
          await refreshUsage(db, tenant, world.clock.now());
      })
      .catch(error => world.log.error('periodic work failed', { error }));
  });
  world.log.info('scheduler started', { host, driver: settings.scheduler_driver });

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    periodic.cancel();
    await served.stop();
    await work;
    await beat.stop();
    if (options.outbox === undefined) await outbox.stop();
  };
  return {
    name: 'nova-scheduler',
    addresses: [],
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
