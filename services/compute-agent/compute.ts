import type { Config } from '@folsom/config';
import { adminContext, keyedMutex, type RunningService, type Timer, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { ImageClient } from '@folsom/nova/image-transfer';
import { instanceNotifier } from '@folsom/nova/instance-notifications';
import { joinInstances } from '@folsom/nova/instance-records';
import { instancesOnHost } from '@folsom/nova/instances';
import { networkApi, onlyNovaNetwork } from '@folsom/nova/network-api';
import { novaOutbox, type Outbox } from '@folsom/nova/outbox';
import { passing } from '@folsom/nova/passing';
import { computeContract } from '@folsom/nova/rpc/compute';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import { startHeartbeat } from '@folsom/nova/service-heartbeat';
import type { Bus, Served } from '@folsom/rpc';
import { abandoned } from './abandoned.ts';
import { takeUpAttachments } from './attachment-audit.ts';
import { confirmOldResizes } from './auto-confirm.ts';
import { awaitedMessages } from './awaited.ts';
import { bandwidthPoll } from './bandwidth-poll.ts';
import { cleanDeletedAfterMove, cleanRunningDeleted, reclaimSoftDeleted } from './cleanup.ts';
import type { ComputeDriver, Guest } from './driver.ts';
import { auditFirewall } from './firewall-audit.ts';
import { computeHandlers } from './handlers.ts';
import { adoptArrivals } from './operations/live-arrival.ts';
import { resumeGuests, syncPowerStates } from './power-sync.ts';
import {
  expireBuilds,
  expireLostBuilds,
  recoverInterrupted,
  recoverWithoutMessage,
  repeatDeletions,
  takeUpAbandoned,
} from './recovery.ts';
import { endOldRescues } from './rescue-timeout.ts';
import { resources } from './resources.ts';
import { asGuest, type ComputeSeam, networked } from './seam.ts';
import { settingsOf } from './settings.ts';
import type { StepObserver } from './steps.ts';
import { auditUsage } from './usage-audit.ts';

export interface ComputeServiceOptions {
  config: Config;
  db: Database;
  bus: Bus;
  world: World;
  driver: ComputeDriver;
  images: ImageClient;
  /** Default: one of its own. */
  outbox?: Outbox;
  /** The bus is in this process and keeps no rows: what it carried when the last one died is lost for certain. */
  busForgets?: boolean;
  /** Told every step of every long operation before it runs; for tests. */
  observe?: StepObserver;
}

export interface RunningCompute extends RunningService {
  /** Runs all periodic work now. */
  tick(): Promise<void>;
  /** Its place on the bus. */
  readonly served: Served;
}

/** Power states and deletions are looked at this often, in periodic runs. */
const SYNC_EVERY = 10;
/** A deletion that nobody works on is taken up again after this time. */
const ABANDONED_MS = 60_000;

/**
 * How long work that goes on with its message waits for it after a start: longer than the longest pause before a message
 * that failed comes again.
 */
const MESSAGE_PATIENCE_MS = 45_000;

/** A build that nobody has taken, or a task that nobody works on, after this time has lost its message. */
const LOST_MESSAGE_MS = 600_000;

/** What the operations on this host work with. */
function seamOf(options: ComputeServiceOptions, outbox: Outbox): ComputeSeam {
  const { config, db, bus, world, driver } = options;
  const settings = settingsOf(config);
  const host = settings.host;
  const log = world.log.child({ service: 'nova-compute' });
  return {
    db,
    bus: outbox.bus,
    outbox,
    world,
    log,
    host,
    settings,
    driver,
    images: options.images,
    network: networkApi({ bus, db, clock: world.clock }),
    resources: resources({ db, driver, settings, host, world, log }),
    notify: instanceNotifier({ bus, db, world, service: 'compute', settings }),
    inTurn: keyedMutex(),
    working: new Map(),
    awaited: awaitedMessages(world.clock),
    observe: options.observe,
  };
}

/** Starts nova-compute: takes over what is on this host, then serves the bus. */
export async function startCompute(options: ComputeServiceOptions): Promise<RunningCompute> {
  const { config, db, bus, world, driver } = options;
  const settings = settingsOf(config);
  onlyNovaNetwork(settings.network_api_class);
  const host = settings.host;
  const outbox = options.outbox ?? novaOutbox({ db, bus, world, owner: `nova-compute:${host}` });
  const seam = seamOf(options, outbox);
  const { log } = seam;
  const guests = async (): Promise<Guest[]> =>
    (await joinInstances(db.knex, await instancesOnHost(db.knex, host))).map(record => asGuest(seam, record));

  const present = await guests();
  await driver.init(present);
  if (driver.name === 'fake')
    log.warn('the fake driver is in use: instances are simulated, no guest really runs');
  const capabilities = async (): Promise<void> => {
    const stats = { ...(await driver.hostStats()), host_ip: settings.my_ip };
    await schedulerContract
      .client({ ...bus, cast: (context, topic, message) => bus.fanout(context, topic, message) })
      .update_service_capabilities(adminContext(), { service_name: 'compute', host, capabilities: stats });
  };
  if (options.outbox === undefined) await outbox.start();
  const served = await computeContract.serve(bus, host, computeHandlers(seam, capabilities), {
    passing,
    abandoned: (context, method, args, error) => abandoned(seam, context, method, args, error),
  });
  if (options.busForgets) await expireLostBuilds(seam, 0);
  // Other daemons are needed to finish work (the network service): it goes on beside serving.
  const stopping = new AbortController();
  const patience = options.busForgets ? 0 : MESSAGE_PATIENCE_MS;
  // Until then a guest that is off is one that is still to be started, and not one that was shut down.
  let resumed = false;
  const recovered: Promise<unknown> = recoverInterrupted(seam, present)
    .then(() => resumeGuests(seam, present))
    .finally(() => {
      resumed = true;
    })
    .then(() =>
      Promise.all([
        recoverWithoutMessage(seam, present, patience, stopping.signal),
        takeUpAttachments(seam, 0),
      ]),
    )
    .catch(error => log.error('recovery failed', { error }));
  const beat = await startHeartbeat({
    db,
    world,
    reportIntervalS: settings.report_interval,
    enabledAtFirst: settings.enable_new_services,
    host,
    binary: 'nova-compute',
    topic: settings.compute_topic,
    availability_zone: settings.node_availability_zone,
  });
  await seam.resources.report();
  await capabilities().catch(error => log.warn('cannot report capabilities', { error }));

  let runs = 0;
  let healed = 0;
  let syncs = 0;
  const lookedAt = new Set<string>();
  const bandwidth = bandwidthPoll(seam);
  const periodic = async (): Promise<void> => {
    const now = await guests();
    await expireBuilds(seam, now);
    await expireLostBuilds(seam, LOST_MESSAGE_MS);
    await reclaimSoftDeleted(seam, now);
    if (resumed && syncs++ % SYNC_EVERY === 0) await syncPowerStates(seam, now);
    await driver.repairCards().catch(error => log.warn('cannot look after cards', { error }));
    // A message that was lost must leave nothing open for longer than this.
    await auditFirewall(seam, guests).catch(error => log.warn('cannot compare security groups', { error }));
    await repeatDeletions(seam, now, ABANDONED_MS);
    await takeUpAbandoned(seam, now, LOST_MESSAGE_MS);
    await takeUpAttachments(seam, ABANDONED_MS);
    await confirmOldResizes(seam);
    await endOldRescues(seam);
    await adoptArrivals(seam);
    await cleanDeletedAfterMove(seam, lookedAt);
    if (runs % Math.max(settings.running_deleted_instance_poll_interval, 1) === 0)
      await cleanRunningDeleted(seam);
    if (settings.image_cache_manager_interval > 0 && runs % settings.image_cache_manager_interval === 0) {
      await driver.manageImageCache(new Set(now.map(guest => guest.image_ref)));
    }
    // One cached network is renewed a run, so that a lost update does not stay for ever.
    const next = now[healed++ % Math.max(now.length, 1)];
    if (next !== undefined && settings.heal_instance_info_cache_interval > 0 && next.task_state === null) {
      await seam.network
        .instanceNetworkInfo(adminContext(), networked(next))
        .catch(error => log.warn('a cached network cannot be renewed', { instance: next.uuid, error }));
    }
    await bandwidth.poll(now).catch(error => log.warn('the counters of cards cannot be read', { error }));
    await auditUsage(seam).catch(error => log.error('usage cannot be told', { error }));
    await seam.resources.report();
    await capabilities();
    runs++;
  };
  let running: Promise<void> = Promise.resolve();
  const tick = (): Promise<void> => {
    running = running.then(periodic).catch(error => log.error('periodic work failed', { error }));
    return running;
  };
  const timer: Timer = world.clock.every(settings.periodic_interval * 1000, () => void tick());

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    timer.cancel();
    stopping.abort();
    await beat.stop();
    await served.stop();
    await running;
    await recovered;
    await seam.resources.stop();
    if (options.outbox === undefined) await outbox.stop();
    await driver.close();
  };
  log.info('compute service started', { host, driver: driver.name, guests: present.length });
  return {
    name: 'nova-compute',
    addresses: [],
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
    tick,
    served,
  };
}
