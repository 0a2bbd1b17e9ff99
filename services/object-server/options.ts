import type { ConfSection } from '@folsom/swift';
import { SLAB_BYTES } from '@folsom/swift-http';

/** Options of object-server.conf's application; times in milliseconds, sizes in bytes. */
export interface ObjectServerOptions {
  /** Directory whose entries are the devices. */
  devices: string;
  mountCheck: boolean;
  nodeTimeoutMs: number;
  connTimeoutMs: number;
  /** Bytes of a large object that are read at once, 65536 in the original; a slab where the file does not say. */
  diskChunkSize: number;
  /** Objects smaller than this stay in the page cache after a read. */
  keepCacheSize: number;
  /** Whether those read with a token stay, too. */
  keepCachePrivate: boolean;
  logRequests: boolean;
  maxUploadMs: number;
  /** PUT and DELETE take at least this long. */
  slowMs: number;
  /** How often a long upload is put on disk. */
  bytesPerSync: number;
  disableFallocate: boolean;
  /** Writes that would leave less than this are refused. */
  fallocateReserve: number;
  /** Lower case. */
  allowedHeaders: readonly string[];
  expiringObjectsAccount: string;
  expiringObjectsDivisor: number;
}

const DEFAULT_ALLOWED_HEADERS = [
  'content-disposition',
  'content-encoding',
  'x-delete-at',
  'x-object-manifest',
];

/** Headers that only an upload's own bytes decide. */
export const FIXED_HEADERS: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'deleted',
  'etag',
]);

/** Reads the options from the section of the application (with `[DEFAULT]` behind it). */
export function objectServerOptions(conf: ConfSection): ObjectServerOptions {
  return {
    devices: conf.str('devices', '/srv/node'),
    mountCheck: conf.bool('mount_check', true),
    nodeTimeoutMs: conf.float('node_timeout', 3) * 1000,
    connTimeoutMs: conf.float('conn_timeout', 0.5) * 1000,
    diskChunkSize: Math.min(SLAB_BYTES, Math.max(4096, conf.int('disk_chunk_size', SLAB_BYTES))),
    keepCacheSize: conf.int('keep_cache_size', 5_242_880),
    keepCachePrivate: conf.bool('keep_cache_private', false),
    logRequests: conf.bool('log_requests', true),
    maxUploadMs: conf.int('max_upload_time', 86_400) * 1000,
    slowMs: conf.int('slow', 0) * 1000,
    bytesPerSync: conf.has('bytes_per_sync')
      ? conf.int('bytes_per_sync', 0)
      : conf.int('mb_per_sync', 512) * 1024 * 1024,
    disableFallocate: conf.bool('disable_fallocate', false),
    fallocateReserve: conf.int('fallocate_reserve', 0),
    allowedHeaders: conf
      .list('allowed_headers', DEFAULT_ALLOWED_HEADERS)
      .map(name => name.toLowerCase())
      .filter(name => !FIXED_HEADERS.has(name)),
    expiringObjectsAccount: `${conf.str('auto_create_account_prefix', '.') || '.'}expiring_objects`,
    expiringObjectsDivisor: conf.int('expiring_objects_container_divisor', 86_400) || 86_400,
  };
}
