import { createHash } from 'node:crypto';
import { closeSync, read } from 'node:fs';
import { promisify } from 'node:util';
import type { World } from '@folsom/core';
import { dropCache } from '@folsom/host/xattr';
import { type ConfSection, rateLimit, writeReconCache } from '@folsom/swift';
import { localDevices, objectDirectories } from './devices.ts';
import { openObject } from './object-file.ts';
import { quarantine } from './quarantine.ts';

const readFile = promisify(read) as (
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>;

/** Options of `[object-auditor]`. */
export interface AuditorOptions {
  devices: string;
  mountCheck: boolean;
  filesPerSecond: number;
  bytesPerSecond: number;
  zeroByteFilesPerSecond: number;
  logTimeMs: number;
  reconCache: string;
}

export const auditorOptions = (conf: ConfSection): AuditorOptions => ({
  devices: conf.str('devices', '/srv/node'),
  mountCheck: conf.bool('mount_check', true),
  filesPerSecond: conf.float('files_per_second', 20),
  bytesPerSecond: conf.float('bytes_per_second', 10_000_000),
  zeroByteFilesPerSecond: conf.float('zero_byte_files_per_second', 50),
  logTimeMs: conf.int('log_time', 3600) * 1000,
  reconCache: `${conf.str('recon_cache_path', '/var/cache/swift')}/object.recon`,
});

/** `ALL` reads every object; `ZBF` only looks at lengths, at its own pace, to find what a crash cut off soon. */
export type AuditKind = 'ALL' | 'ZBF';

export interface AuditCounts {
  files: number;
  bytes: number;
  quarantined: number;
  errors: number;
}

/** Looks at every object once. Damaged ones go to quarantine, from where replication replaces them. */
export async function auditObjects(
  options: AuditorOptions,
  kind: AuditKind,
  world: World,
  signal?: AbortSignal,
): Promise<AuditCounts> {
  const { clock } = world;
  const log = world.log.child({ service: 'object-auditor', audit: kind });
  const started = clock.monotonic();
  const counts: AuditCounts = { files: 0, bytes: 0, quarantined: 0, errors: 0 };
  const perFile = rateLimit(kind === 'ZBF' ? options.zeroByteFilesPerSecond : options.filesPerSecond, clock);
  const perByte = rateLimit(options.bytesPerSecond, clock);
  let auditing = 0;
  let reported = started;
  let since = { ...counts };
  log.info('begin object audit');
  for (const device of localDevices(options.devices, options.mountCheck, log)) {
    for await (const { partition, hash, directory } of objectDirectories(device)) {
      signal?.throwIfAborted();
      await perFile(1, signal);
      const from = clock.monotonic();
      try {
        const place = { device, partition, hash, directory, name: '' };
        await auditOne(place, kind, counts, { perByte, world: { ...world, log }, signal });
      } catch (error) {
        signal?.throwIfAborted();
        counts.errors++;
        log.error('cannot audit', { path: directory, error });
      }
      counts.files++;
      const now = clock.monotonic();
      auditing += now - from;
      if (now - reported < options.logTimeMs) continue;
      report(
        options,
        kind,
        { ...world, log },
        {
          ...counts,
          since,
          seconds: (now - reported) / 1000,
          auditing,
          clock: clock.now(),
        },
      );
      reported = now;
      since = { ...counts };
    }
  }
  const seconds = (clock.monotonic() - started) / 1000;
  report(options, kind, { ...world, log }, { ...counts, since, seconds, auditing, clock: clock.now() });
  log.info('object audit completed', {
    seconds: round(seconds),
    quarantined: counts.quarantined,
    errors: counts.errors,
    files_per_second: round(counts.files / (seconds || 1e-6)),
    bytes_per_second: round(counts.bytes / (seconds || 1e-6)),
    audit_seconds: round(auditing / 1000),
  });
  return counts;
}

interface AuditTools {
  perByte(units: number, signal?: AbortSignal): Promise<void>;
  world: World;
  signal: AbortSignal | undefined;
}

async function auditOne(
  place: Parameters<typeof openObject>[0],
  kind: AuditKind,
  counts: AuditCounts,
  { perByte, world, signal }: AuditTools,
): Promise<void> {
  const bad = (why: string) => {
    counts.quarantined++;
    world.log.error('object failed audit and is quarantined', { path: place.directory, why });
  };
  const found = openObject(place, world.random, bad);
  if (found.state === 'gone') return;
  const { object } = found;
  try {
    if (kind === 'ZBF' && object.size > 0) return;
    const md5 = createHash('md5');
    const chunk = Buffer.allocUnsafe(65_536);
    for (let at = 0; at < object.size; ) {
      const { bytesRead } = await readFile(object.fd, chunk, 0, chunk.length, at);
      if (bytesRead === 0) break;
      md5.update(chunk.subarray(0, bytesRead));
      at += bytesRead;
      counts.bytes += bytesRead;
      await perByte(bytesRead, signal);
    }
    dropCache(object.fd, 0, object.size);
    if (md5.digest('hex') === object.etag) return;
    bad("ETag and the file's MD5 do not match");
    quarantine(place.device, object.file, world.random);
  } finally {
    closeSync(object.fd);
  }
}

function report(
  options: AuditorOptions,
  kind: AuditKind,
  { log, random }: World,
  now: AuditCounts & { since: AuditCounts; seconds: number; auditing: number; clock: number },
): void {
  const passes = now.files - now.since.files;
  const values = {
    errors: now.errors - now.since.errors,
    passes,
    quarantined: now.quarantined - now.since.quarantined,
    bytes_processed: now.bytes - now.since.bytes,
    start_time: now.clock / 1000 - now.seconds,
    audit_time: now.auditing / 1000,
  };
  log.info('object audit', { ...values, files_per_second: round(passes / (now.seconds || 1e-6)) });
  writeReconCache(options.reconCache, { [`object_auditor_stats_${kind}`]: values }, { log, random });
}

const round = (value: number): number => Math.round(value * 100) / 100;
