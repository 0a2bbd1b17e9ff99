import { hash } from 'node:crypto';

/** Where a name lives: its hash, and through it partition, suffix and directory. Made once per process. */
export interface PathHash {
  /** 32 lower-case hexadecimal digits. */
  hex(account: string, container?: string, object?: string): string;
  /** The first 32 bits of the hash, from which a ring takes the partition. */
  prefix(account: string, container?: string, object?: string): number;
}

/** @param suffix `swift_hash_path_suffix` of swift.conf; the same on every host of a cluster, for ever. */
export function pathHash(suffix: string): PathHash {
  const hex = (account: string, container?: string, object?: string): string => {
    if (object !== undefined && container === undefined)
      throw new RangeError('an object needs its container');
    let path = `/${account}`;
    if (container !== undefined) path += `/${container}`;
    if (object !== undefined) path += `/${object}`;
    return hash('md5', path + suffix, 'hex');
  };
  return {
    hex,
    prefix: (account, container, object) => Number.parseInt(hex(account, container, object).slice(0, 8), 16),
  };
}

/** The partition of a hash made by {@link PathHash.hex}. */
export const partitionOf = (hex: string, partShift: number): number =>
  Number.parseInt(hex.slice(0, 8), 16) >>> partShift;
