import { lstatSync } from 'node:fs';
import { join } from 'node:path';

/** `<kind>/<partition>/<last three digits>/<hash>`: where one object, container or account lives on a device. */
export const storageDirectory = (kind: StorageKind, partition: string | number, hash: string): string =>
  `${kind}/${partition}/${hash.slice(-3)}/${hash}`;

export type StorageKind = 'accounts' | 'containers' | 'objects';

/**
 * Splits a request path (already decoded, with its leading `/`) into at least `min` and at most `max` parts.
 * Missing parts are undefined. With `restWithLast` the last part takes the rest, slashes and all.
 * Null when the path does not have that shape.
 */
export function splitPath(
  path: string,
  min: number,
  max: number = min,
  restWithLast = false,
): (string | undefined)[] | null {
  if (path[0] !== '/') return null;
  const parts: (string | undefined)[] = [];
  let from = 1;
  for (;;) {
    const slash = restWithLast && parts.length === max - 1 ? -1 : path.indexOf('/', from);
    const part = slash < 0 ? path.slice(from) : path.slice(from, slash);
    if (part === '') {
      // an empty part may stand only at the end, after the required ones
      if (slash >= 0 || parts.length < min) return null;
      break;
    }
    if (parts.length === max) return null;
    parts.push(part);
    if (slash < 0) break;
    from = slash + 1;
  }
  if (parts.length < min) return null;
  while (parts.length < max) parts.push(undefined);
  return parts;
}

/** Why a device or partition of a request may not be used, as the original words it; null if it may. */
export function invalidDeviceOrPartition(device: string, partition: string): string | null {
  if (isUnsafe(device)) return `Invalid device: ${device}`;
  if (isUnsafe(partition)) return `Invalid partition: ${partition}`;
  return null;
}

/** Bytes of the longest name that file systems have. */
const NAME_MAX = 255;
const isUnsafe = (name: string): boolean =>
  name === '' ||
  name === '.' ||
  name === '..' ||
  name.includes('/') ||
  name.includes('\0') ||
  Buffer.byteLength(name) > NAME_MAX;

/**
 * Whether a device is mounted: `<root>/<device>` exists and is another file system than `<root>`. Asked on every
 * request, not remembered: a write into the directory under a lost mount would be lost too.
 */
export function isMounted(root: string, device: string): boolean {
  const at = lstatSync(join(root, device), { throwIfNoEntry: false });
  if (!at?.isDirectory()) return false;
  const above = lstatSync(root, { throwIfNoEntry: false });
  return above !== undefined && (at.dev !== above.dev || at.ino === above.ino);
}
