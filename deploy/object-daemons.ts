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

const EXPIRER_CONF = `
[pipeline:main]
pipeline = catch_errors cache proxy-server
[app:proxy-server]
use = egg:swift#proxy
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
`;

/** Starts what keeps an object store in order: updaters, auditors, expirer, reaper, sync, and with replicas replicators. */
export function startObjectDaemons(options: ObjectDaemonsOptions): RunningService {
  const { world, rings, pathHash, ports, conf } = options;
  const client = createInternalClient(world, options.local);
  /** An operator's section between what suits one small host and what the composition decides. */
  const section = (
    file: StorageConfName,
    name: string,
    defaults: Record<string, string>,
    decided: Record<string, string> = {},
  ): ConfSection =>
    confSection({
      ...defaults,
      ...conf.section(file, name),
      devices: options.devicesDir,
      mount_check: 'false',
      recon_cache_path: options.reconDir,
      ...decided,
    });
  const running: RunningService[] = [];
  const closing: (() => Promise<void> | void)[] = [];
  const every = (pass: Pass, intervalMs: number): void => {
    running.push(startDaemon(pass, { intervalMs, from: 'end', spread: true }, world));
  };

  const updates = containerUpdaterOptions(
    section('container-server.conf', 'container-updater', { interval: UPDATE_SECONDS, slowdown: '0' }),
  );
  every(updaterPass({ options: updates, ring: rings.account, pathHash, client, world }), updates.intervalMs);
  const reaping = reaperOptions(
    section(
      'account-server.conf',
      'account-reaper',
      { interval: REAP_SECONDS },
      { bind_port: String(ports.account), delay_reaping: String(options.delayReaping) },
    ),
  );
  every(reaperPass({ options: reaping, rings, pathHash, client, world }), reaping.intervalMs);
  if (options.syncHosts.length > 0) {
    const syncing = syncOptions(
      section(
        'container-server.conf',
        'container-sync',
        { interval: REAP_SECONDS },
        { bind_port: String(ports.container), allowed_sync_hosts: options.syncHosts.join(',') },
      ),
    );
    const sync = syncPass({ options: syncing, rings, pathHash, client, world });
    every(sync, syncing.intervalMs);
    closing.push(sync.close);
  }
  for (const [kind, Kind] of [
    ['account', AccountDb],
    ['container', ContainerDb],
  ] as const) {
    const audit = {
      kind,
      Kind,
      devices: options.devicesDir,
      mountCheck: false,
      reconCachePath: options.reconDir,
      world,
    };
    every(dbAuditPass(audit), AUDIT_SECONDS * 1000);
    if (options.replicas > 1) {
      const replication = dbReplicatorOptions(
        section(
          `${kind}-server.conf`,
          `${kind}-replicator`,
          { interval: REPLICATE_SECONDS },
          { bind_port: String(ports[kind]), sync_method: 'http' },
        ),
        ports[kind],
      );
      every(
        dbReplicationPass({ kind, Kind, ring: rings[kind], client, world, options: replication }),
        replication.intervalMs,
      );
    }
  }

  running.push(
    startObjectAuditor(auditorOptions(section('object-server.conf', 'object-auditor', {})), world),
    startObjectUpdater({
      options: updaterOptions(section('object-server.conf', 'object-updater', { interval: UPDATE_SECONDS })),
      containerRing: rings.container,
      pathHash,
      client,
      world,
    }),
  );
  if (options.replicas > 1) {
    running.push(
      startObjectReplicator({
        options: replicatorOptions(
          section(
            'object-server.conf',
            'object-replicator',
            { run_pause: REPLICATE_SECONDS },
            { bind_port: String(ports.object), sync_method: 'http' },
          ),
        ),
        ring: rings.object,
        pathHash,
        client,
        world,
      }),
    );
  }
  const inside = internalSwift(parseConf(EXPIRER_CONF, join(options.swiftDir, 'object-expirer.conf')), {
    ...world,
    swiftDir: options.swiftDir,
    pathHash,
  });
  running.push(
    startObjectExpirer({
      options: expirerOptions(section('object-server.conf', 'object-expirer', { interval: EXPIRE_SECONDS })),
      swift: inside.swift,
      world,
    }),
  );
  closing.push(inside.close);

  return {
    name: 'object-daemons',
    addresses: [],
    stop: async () => {
      await Promise.all(running.map(daemon => daemon.stop()));
      for (const close of closing) await close();
      client.close();
    },
  };
}
