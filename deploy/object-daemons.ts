import { join } from 'node:path';
import {
  AccountDb,
  ContainerDb,
  dbAuditPass,
  dbReplicationPass,
  dbReplicatorOptions,
} from '@folsom/container-db';
import type { RunningService, World } from '@folsom/core';
import { reaperOptions, reaperPass } from '@folsom/object-account';
import {
  updaterOptions as containerUpdaterOptions,
  syncOptions,
  syncPass,
  updaterPass,
} from '@folsom/object-container';
import {
  auditorOptions,
  expirerOptions,
  replicatorOptions,
  startObjectAuditor,
  startObjectExpirer,
  startObjectReplicator,
  startObjectUpdater,
  updaterOptions,
} from '@folsom/object-server';
import type { Ring } from '@folsom/ring';
import {
  type ConfSection,
  confSection,
  type Pass,
  type PathHash,
  parseConf,
  startDaemon,
} from '@folsom/swift';
import { createInternalClient, type LocalServers } from '@folsom/swift-http';
import { expirerSample } from './conf/swift-samples.mjs';
import type { ObjectConf, StorageConfName } from './object-conf.ts';
import { internalSwift } from './swift-internal.ts';

export interface ObjectDaemonsOptions {
  devicesDir: string;
  swiftDir: string;
  reconDir: string;
  ports: { account: number; container: number; object: number };
  replicas: number;
  /** Where containers may be synced to; no sync runs without any. */
  syncHosts: readonly string[];
  /** Seconds that deleted accounts are kept. */
  delayReaping: number;
  /** The operator's settings of each daemon. */
  conf: ObjectConf;
  rings: { account: Ring; container: Ring; object: Ring };
  pathHash: PathHash;
  local: LocalServers;
  world: World;
}

/** Seconds between passes: shorter than the original's, for there is but one small host to look after. */
const UPDATE_SECONDS = '10';
const EXPIRE_SECONDS = '30';
const REAP_SECONDS = '60';
const REPLICATE_SECONDS = '60';
const AUDIT_SECONDS = 1800;

/** What all of them are made of. */
interface Parts extends ObjectDaemonsOptions {
  client: ReturnType<typeof createInternalClient>;
  section: SectionOf;
}

/** An operator's section between what suits one small host and what the composition decides. */
type SectionOf = (
  file: StorageConfName,
  name: string,
  defaults: Record<string, string>,
  decided?: Record<string, string>,
) => ConfSection;

const sectionsOf =
  ({ conf, devicesDir, reconDir }: ObjectDaemonsOptions): SectionOf =>
  (file, name, defaults, decided = {}) =>
    confSection({
      ...defaults,
      ...conf.section(file, name),
      devices: devicesDir,
      mount_check: 'false',
      recon_cache_path: reconDir,
      ...decided,
    });

/** A pass and how often it is made. */
interface Repeated {
  pass: Pass;
  intervalMs: number;
}

/** Starts what keeps an object store in order: updaters, auditors, expirer, reaper, sync, and with replicas replicators. */
export function startObjectDaemons(options: ObjectDaemonsOptions): RunningService {
  const { world } = options;
  const client = createInternalClient(world, options.local);
  const parts: Parts = { ...options, client, section: sectionsOf(options) };
  const sync = options.syncHosts.length > 0 ? containerSync(parts) : undefined;
  const expirer = startExpirer(parts);
  const repeated = [
    accountUpdates(parts),
    reaping(parts),
    ...(sync ? [sync] : []),
    ...databaseUpkeep(parts, 'account', AccountDb),
    ...databaseUpkeep(parts, 'container', ContainerDb),
  ];
  const running = [
    ...repeated.map(({ pass, intervalMs }) =>
      startDaemon(pass, { intervalMs, from: 'end', spread: true }, world),
    ),
    ...objectUpkeep(parts),
    expirer.running,
  ];
  return {
    name: 'object-daemons',
    addresses: [],
    stop: async () => {
      await Promise.all(running.map(daemon => daemon.stop()));
      await sync?.pass.close();
      expirer.close();
      client.close();
    },
  };
}

/** Tells accounts of their containers. */
function accountUpdates({ section, rings, pathHash, client, world }: Parts): Repeated {
  const options = containerUpdaterOptions(
    section('container-server.conf', 'container-updater', { interval: UPDATE_SECONDS, slowdown: '0' }),
  );
  return {
    pass: updaterPass({ options, ring: rings.account, pathHash, client, world }),
    intervalMs: options.intervalMs,
  };
}

/** Empties deleted accounts. */
function reaping({ section, ports, delayReaping, rings, pathHash, client, world }: Parts): Repeated {
  const options = reaperOptions(
    section(
      'account-server.conf',
      'account-reaper',
      { interval: REAP_SECONDS },
      { bind_port: String(ports.account), delay_reaping: String(delayReaping) },
    ),
  );
  return {
    pass: reaperPass({ options, rings, pathHash, client, world }),
    intervalMs: options.intervalMs,
  };
}

/** Copies containers to other clusters. */
function containerSync({ section, ports, syncHosts, rings, pathHash, client, world }: Parts) {
  const options = syncOptions(
    section(
      'container-server.conf',
      'container-sync',
      { interval: REAP_SECONDS },
      { bind_port: String(ports.container), allowed_sync_hosts: syncHosts.join(',') },
    ),
  );
  return {
    pass: syncPass({ options, rings, pathHash, client, world }),
    intervalMs: options.intervalMs,
  };
}

/** Audits the databases of a kind and, where there are replicas, keeps these alike. */
function databaseUpkeep<Kind extends 'account' | 'container'>(
  { section, ports, devicesDir, reconDir, replicas, rings, client, world }: Parts,
  kind: Kind,
  Kind: Kind extends 'account' ? typeof AccountDb : typeof ContainerDb,
): Repeated[] {
  const audit: Repeated = {
    pass: dbAuditPass({
      kind,
      Kind,
      devices: devicesDir,
      mountCheck: false,
      reconCachePath: reconDir,
      world,
    }),
    intervalMs: AUDIT_SECONDS * 1000,
  };
  if (replicas === 1) return [audit];
  const options = dbReplicatorOptions(
    section(
      `${kind}-server.conf`,
      `${kind}-replicator`,
      { interval: REPLICATE_SECONDS },
      { bind_port: String(ports[kind]), sync_method: 'http' },
    ),
    ports[kind],
  );
  const replication = dbReplicationPass({ kind, Kind, ring: rings[kind], client, world, options });
  return [audit, { pass: replication, intervalMs: options.intervalMs }];
}

/** Audits objects, tells containers of them and, where there are replicas, keeps these alike. */
function objectUpkeep({ section, ports, replicas, rings, pathHash, client, world }: Parts): RunningService[] {
  const auditor = startObjectAuditor(
    auditorOptions(section('object-server.conf', 'object-auditor', {})),
    world,
  );
  const updater = startObjectUpdater({
    options: updaterOptions(section('object-server.conf', 'object-updater', { interval: UPDATE_SECONDS })),
    containerRing: rings.container,
    pathHash,
    client,
    world,
  });
  if (replicas === 1) return [auditor, updater];
  const options = replicatorOptions(
    section(
      'object-server.conf',
      'object-replicator',
      { run_pause: REPLICATE_SECONDS },
      { bind_port: String(ports.object), sync_method: 'http' },
    ),
  );
  return [auditor, updater, startObjectReplicator({ options, ring: rings.object, pathHash, client, world })];
}

/** Deletes objects whose time has come, through a proxy of its own. */
function startExpirer({ section, swiftDir, pathHash, world }: Parts) {
  const inside = internalSwift(parseConf(expirerSample(), join(swiftDir, 'object-expirer.conf')), {
    ...world,
    swiftDir,
    pathHash,
  });
  const expirer = startObjectExpirer({
    options: expirerOptions(section('object-server.conf', 'object-expirer', { interval: EXPIRE_SECONDS })),
    swift: inside.swift,
    world,
  });
  return { running: expirer, close: inside.close };
}
