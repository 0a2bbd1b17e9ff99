import type { RequestContext } from '@folsom/core';
import { isFault, must } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { FlavorRow } from '@folsom/nova/flavors';
import { type Limits, limitsOf, type Over } from '@folsom/nova/quotas';
import type { InjectedFiles } from '@folsom/nova/rpc/wire';
import type { Deps } from './deps.ts';

export const limitsFor = (deps: Deps, context: RequestContext): Promise<Limits> =>
  limitsOf(deps.db.knex, context.projectId ?? '', deps.quotaDefaults);

const TEXT_CHARS_MAX = 255;

/**
 * `blankKeys`: a key may be empty, as it may be with volumes.
 *
 * @throws Fault `MetadataLimitExceeded`, `InvalidMetadata`, `InvalidMetadataSize`
 */
export function checkMetadata(
  limits: Limits,
  metadata: Readonly<Record<string, string | null>>,
  { blankKeys = false }: { blankKeys?: boolean } = {},
): void {
  const allowed = limits.metadata_items;
  if (allowed >= 0 && Object.keys(metadata).length > allowed) {
    throw novaFault('MetadataLimitExceeded', { allowed });
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (key.length === 0 && !blankKeys)
      throw novaFault('InvalidMetadata', { reason: 'Metadata property key blank' });
    if (key.length > TEXT_CHARS_MAX) {
      throw novaFault('InvalidMetadataSize', { reason: 'Metadata property key greater than 255 characters' });
    }
    if (value !== null && value.length > TEXT_CHARS_MAX) {
      throw novaFault('InvalidMetadataSize', {
        reason: 'Metadata property value greater than 255 characters',
      });
    }
  }
}

/** @throws Fault `OnsetFileLimitExceeded` and its like */
export function checkInjectedFiles(limits: Limits, files: InjectedFiles): void {
  const over = (limit: number, value: number) => limit >= 0 && value > limit;
  if (over(limits.injected_files, files.length)) throw novaFault('OnsetFileLimitExceeded');
  const longest = (at: 0 | 1) => Math.max(0, ...files.map(file => Buffer.byteLength(file[at])));
  if (over(limits.injected_file_path_bytes, longest(0))) throw novaFault('OnsetFilePathLimitExceeded');
  if (over(limits.injected_file_content_bytes, longest(1))) throw novaFault('OnsetFileContentLimitExceeded');
}

/** How many instances of the flavor still fit; Infinity without limits. */
export function roomFor(over: Over, flavor: FlavorRow): number {
  const free = (name: 'instances' | 'cores' | 'ram') => {
    const limit = over.limits[name];
    const { in_use, reserved } = over.usages[name];
    return limit < 0 ? Number.POSITIVE_INFINITY : limit - in_use - reserved;
  };
  let room = free('instances');
  if (flavor.vcpus > 0) room = Math.min(room, Math.floor(free('cores') / flavor.vcpus));
  if (flavor.memory_mb > 0) room = Math.min(room, Math.floor(free('ram') / flavor.memory_mb));
  return Math.max(0, room);
}

/** `Quota exceeded for cores,instances: Requested 50, but already used 0 of 20 cores` */
export function tooManyInstances(over: Over, requested: Partial<Record<string, number>>) {
  const [resource] = over.overs;
  const { in_use, reserved } = over.usages[must(resource, 'a quota is exceeded in something')];
  return novaFault('TooManyInstances', {
    overs: over.overs.join(','),
    req: requested[must(resource, 'a quota is exceeded in something')],
    used: in_use + reserved,
    allowed: over.limits[must(resource, 'a quota is exceeded in something')],
    resource,
  });
}

/** The details of an `OverQuota` fault, or undefined for any other error. */
export const overOf = (error: unknown): Over | undefined =>
  isFault(error, 'OverQuota') ? (error.values.over as Over | undefined) : undefined;
