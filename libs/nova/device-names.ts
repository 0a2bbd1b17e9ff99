/** What instances call their disks: `/dev/vda`, `/dev/sdb1`. */

import { novaFault } from './faults.ts';

export interface DeviceName {
  /** `/dev/vd` */
  prefix: string;
  /** `b`, `aa` */
  letters: string;
}

/** The original's idea of a device's name; undefined for anything else. */
export function parseDevice(text: string): DeviceName | undefined {
  const match = /^(\/dev\/x?[a-z]?d?)([a-z]+)\d*$/.exec(text);
  if (!match || text.length > DEVICE_CHARS_MAX) return undefined;
  return { prefix: match[1] as string, letters: match[2] as string };
}
const DEVICE_CHARS_MAX = 255;

/** The letters of a name in whatever form a mapping has it: `vdb`, `/dev/sdb`, `/dev/xvdb1`; undefined for none. */
export const deviceLetters = (text: string): string | undefined =>
  /^(?:\/dev\/)?(?:xvd|vd|sd|hd)([a-z]{1,2})\d*$/.exec(text)?.[1];

/** Where the root disk is while the hypervisor has not said so. */
const ROOT_DEVICE = '/dev/sda1';

/** Names of an instance's own disks, as its row has them. */
export interface OwnDevices {
  root_device_name: string | null;
  default_ephemeral_device: string | null;
  default_swap_device: string | null;
}

/**
 * The name that a new disk of an instance gets: the one wanted, with the prefix that the instance's disks have, else the
 * first free one. `taken` are the names in its block device mappings.
 *
 * @throws Fault `InvalidDevicePath`, `DevicePathInUse`
 */
export function nameOfNewDevice(own: OwnDevices, taken: readonly string[], wanted: string | null): string {
  const asked = wanted === null ? undefined : parseDevice(wanted);
  if (wanted !== null && asked === undefined) throw novaFault('InvalidDevicePath', { path: wanted });
  const root = own.root_device_name ?? ROOT_DEVICE;
  const prefix = parseDevice(root.startsWith('/') ? root : `/dev/${root}`)?.prefix;
  if (prefix === undefined) throw novaFault('InvalidDevicePath', { path: root });
  const named = [root, own.default_ephemeral_device, own.default_swap_device, ...taken];
  const used = new Set(named.map(name => (name === null ? undefined : deviceLetters(name))));
  const letters = asked?.letters ?? LETTERS.find(one => !used.has(one));
  if (letters === undefined || used.has(letters)) throw novaFault('DevicePathInUse', { path: wanted });
  return prefix + letters;
}

const ALPHABET = [...'abcdefghijklmnopqrstuvwxyz'];
const LETTERS = [...ALPHABET, ...ALPHABET.flatMap(first => ALPHABET.map(second => first + second))];
