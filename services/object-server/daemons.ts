import type { RunningService, World } from '@folsom/core';
import { startDaemon } from '@folsom/swift';
import { type AuditKind, type AuditorOptions, auditObjects } from './auditor.ts';
import { type ExpirerSettings, expireObjects } from './expirer.ts';
import { type ReplicatorSettings, replicateObjects } from './replicator.ts';
import { sweepUpdates, type UpdaterSettings } from './updater.ts';

/** Between two audits of everything. */
const AUDIT_PAUSE_MS = 30_000;

/** Replicates until stopped, with `run_pause` between passes. */
export const startObjectReplicator = (settings: ReplicatorSettings): RunningService =>
  startDaemon(
    { name: 'swift-object-replicator', run: async signal => void (await replicateObjects(settings, signal)) },
    { intervalMs: settings.options.runPauseMs, from: 'end' },
    settings.world,
  );

/** Audits until stopped: everything at one pace, lengths at another. */
export function startObjectAuditor(
  options: AuditorOptions,
  world: World,
  kinds: readonly AuditKind[] = ['ALL', 'ZBF'],
): RunningService {
  const running = kinds.map(kind =>
    startDaemon(
      {
        name: 'swift-object-auditor',
        run: async signal => void (await auditObjects(options, kind, world, signal)),
      },
      { intervalMs: AUDIT_PAUSE_MS, from: 'end' },
      world,
    ),
  );
  return {
    name: 'swift-object-auditor',
    addresses: [],
    stop: async () => void (await Promise.all(running.map(daemon => daemon.stop()))),
  };
}

/** Tells containers what they do not know yet, every `interval`. */
export const startObjectUpdater = (settings: UpdaterSettings): RunningService =>
  startDaemon(
    { name: 'swift-object-updater', run: async signal => void (await sweepUpdates(settings, signal)) },
    { intervalMs: settings.options.intervalMs, from: 'start', spread: true },
    settings.world,
  );

/** Deletes expired objects, every `interval`. */
export const startObjectExpirer = (settings: ExpirerSettings): RunningService =>
  startDaemon(
    { name: 'swift-object-expirer', run: async signal => void (await expireObjects(settings, signal)) },
    { intervalMs: settings.options.intervalMs, from: 'start', spread: true },
    settings.world,
  );
