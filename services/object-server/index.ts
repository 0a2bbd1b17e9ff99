export { type AuditKind, type AuditorOptions, auditObjects, auditorOptions } from './auditor.ts';
export {
  startObjectAuditor,
  startObjectExpirer,
  startObjectReplicator,
  startObjectUpdater,
} from './daemons.ts';
export {
  type ExpirerOptions,
  type ExpirerSettings,
  expireObjects,
  expirerOptions,
  type InternalSwift,
} from './expirer.ts';
export { type ObjectServerOptions, objectServerOptions } from './options.ts';
export {
  type ReplicatorOptions,
  type ReplicatorSettings,
  replicateObjects,
  replicatorOptions,
} from './replicator.ts';
export { type ObjectServerSettings, startObjectServer } from './server.ts';
export {
  countPendingUpdates,
  sweepUpdates,
  type UpdaterOptions,
  type UpdaterSettings,
  updaterOptions,
} from './updater.ts';
