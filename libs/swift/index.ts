export { answered } from './answered.ts';
export { type RangeAnswer, readRange } from './byte-range.ts';
export { type Pass, startDaemon } from './daemon.ts';
export { isUsable, namesIn } from './devices.ts';
export {
  EACH_BY_ITSELF,
  EACH_DEVICES,
  EACH_HEADER,
  EACH_METHODS,
  type EachAnswer,
  type EachMethod,
  joinEach,
  splitEach,
} from './each-replica.ts';
export { type PathHash, pathHash } from './hash-path.ts';
export { maskedTarget } from './masked-target.ts';
export { swiftMetrics } from './metrics.ts';
export { answersCell, meanings, STORAGE_HEAD, storageReference } from './operation-reference.ts';
export { rateLimit } from './rate-limit.ts';
export { healthcheckFilter, reconFilter, reconOptions, type ServerFilter } from './recon.ts';
export { writeReconCache } from './recon-cache.ts';
export { reconMetrics } from './recon-metrics.ts';
export { stamps } from './stamps.ts';
export { countAnswer, type MeteredWorld, methodLabel, NO_STATS, statsFrom, statsOf } from './statsd.ts';
export {
  type Field,
  type Fields,
  mayAnswer,
  type Refusals,
  type Shape,
  type StorageOperation,
  shapeOf,
} from './storage-operation.ts';
export { invalidDeviceOrPartition, isMounted, storageDirectory } from './storage-paths.ts';
export { type StorageRequest, storageHandler, storageRoutes, type Undeclared } from './storage-routes.ts';
export { type SweepOptions, sweepOptions } from './sweep-options.ts';
export {
  ConfError,
  type ConfSection,
  confSection,
  hashPathSuffix,
  parseConf,
  readConf,
  type SwiftConf,
} from './swift-conf.ts';
export { STORAGE_PORTS, syncToProblem } from './sync-to.ts';
export { openSyslog, syslogFrom } from './syslog.ts';
export { normalizeTimestamp, parseFloatText, timestampMs, timestampOf } from './timestamps.ts';
export {
  BATCH_BYTES_MAX,
  BATCH_HEADER,
  BATCH_METHOD,
  BATCH_REQUESTS_MAX,
  type BatchedRequest,
} from './update-batch.ts';
