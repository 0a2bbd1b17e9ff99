import { must } from '@folsom/core';
/** A device of this host as the kernel knows it. */
export interface MountedDrive {
  /** `sdb1` */
  kernelName: string;
  mountPoint: string;
}

const ERROR_LINES = [/\berror\b.*\b(sd[a-z]{1,2}\d?)\b/g, /\b(sd[a-z]{1,2}\d?)\b.*\berror\b/g];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY_MS = 86_400_000;

/**
 * Counts the errors of each device in a kernel log since a time. Lines begin with `Mon day hh:mm:ss` of local time
 * and have no year: a month later than now is last year's. What stands before the last boot does not count.
 */
export function driveErrors(log: string, sinceMs: number, nowMs: number): Map<string, number> {
  const errors = new Map<string, number>();
  for (const line of log.split('\n')) {
    if (line.includes('[    0.000000]')) {
      errors.clear();
      continue;
    }
    const at = lineTime(line, nowMs);
    if (at === null || at <= sinceMs) continue;
    for (const pattern of ERROR_LINES) {
      for (const [, device] of line.matchAll(pattern))
        errors.set(must(device, 'device is there'), (errors.get(must(device, 'device is there')) ?? 0) + 1);
    }
  }
  return errors;
}

function lineTime(line: string, nowMs: number): number | null {
  const parts = /^([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d{2}):(\d{2}):(\d{2})\s/.exec(line);
  const month = parts ? MONTHS.indexOf(must(parts[1], 'parts has more than 1')) : -1;
  if (!parts || month < 0) return null;
  const timeIn = (year: number) =>
    new Date(year, month, Number(parts[2]), Number(parts[3]), Number(parts[4]), Number(parts[5])).getTime();
  const year = new Date(nowMs).getFullYear();
  const at = timeIn(year);
  return at > nowMs + DAY_MS ? timeIn(year - 1) : at;
}

/**
 * The drives mounted below a directory, by `/proc/mounts` and `/proc/partitions`.
 * @param numberOf device number `[major, minor]` of a block device; null if there is none such
 */
export function drivesBelow(
  directory: string,
  mounts: string,
  partitions: string,
  numberOf: (blockDevice: string) => readonly [number, number] | null,
): MountedDrive[] {
  const names = new Map<string, string>();
  for (const line of partitions.split('\n').slice(2)) {
    const [major, minor, , name] = line.trim().split(/\s+/);
    if (name) names.set(`${major}:${minor}`, name);
  }
  const found: MountedDrive[] = [];
  for (const line of mounts.split('\n')) {
    const [blockDevice, mountPoint] = line.trim().split(/\s+/);
    if (!mountPoint?.startsWith(directory)) continue;
    const number = numberOf(must(blockDevice, 'blockDevice is there'));
    const kernelName = number ? names.get(number.join(':')) : undefined;
    if (kernelName) found.push({ kernelName, mountPoint });
  }
  return found;
}

/** An fstab in which a mount point's line is a comment, so that the drive stays away after a restart. */
export const withoutMount = (fstab: string, mountPoint: string): string =>
  fstab
    .split('\n')
    .map(line => {
      const parts = line.trim().split(/\s+/);
      return parts.length > 2 && parts[1] === mountPoint && !line.startsWith('#') ? `#${line}` : line;
    })
    .join('\n');
