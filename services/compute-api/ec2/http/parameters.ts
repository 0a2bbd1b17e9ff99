import { must } from '@folsom/core';
import { ec2Fault } from './faults.ts';

/** What stands under a name: its text, or what stands below it (`Filter.1.Name`). */
export type Given = string | GivenTree;
export type GivenTree = Map<string, Given>;

/** Every limit on the parameters of a request. */
export const PARAMETER_LIMITS = {
  /** Bytes of a body: user data of 64 kB, escaped. */
  bodyBytesMax: 256 * 1024,
  count: 2_500,
  nameCharsMax: 255,
  /** Names below one another: `BlockDeviceMapping.1.Ebs.SnapshotId` has four. */
  depth: 8,
} as const;

/** `InstanceId` and `instanceId` are `instance_id`, `InstancesV6` is `instances_v6`: names as Folsom takes them for the same. */
export const canonicalName = (name: string): string =>
  name
    .replace(/((?<=[a-z])[A-Z]|[A-Z](?![A-Z]|$))/g, '_$1')
    .toLowerCase()
    .replace(/^_+|_+$/g, '');

/** The parameters of a query and a form, as they are signed: the last of a name counts. */
export function flatParameters(query: string, form: string): Map<string, string> {
  const flat = new Map<string, string>();
  for (const text of [query, form]) {
    if (text === '') continue;
    for (const [name, value] of new URLSearchParams(text)) {
      if (name.length > PARAMETER_LIMITS.nameCharsMax) throw ec2Fault('ParameterNameTooLong');
      flat.set(name, value);
      if (flat.size > PARAMETER_LIMITS.count) throw ec2Fault('TooManyParameters');
    }
  }
  return flat;
}

/** Parameters as the tree that their names are. */
export function parameterTree(flat: ReadonlyMap<string, string>): GivenTree {
  const root: GivenTree = new Map();
  for (const [name, value] of flat) {
    const path = name.split('.').map(canonicalName);
    if (path.length > PARAMETER_LIMITS.depth) throw ec2Fault('InvalidParameter', { name: shownName(name) });
    const last = must(path.pop(), 'path is not empty');
    let at = root;
    for (const part of path) {
      const below = at.get(part);
      // `A=1&A.1=2` says two things about A.
      if (typeof below === 'string') throw ec2Fault('InvalidParameter', { name: shownName(name) });
      const next = below ?? new Map<string, Given>();
      at.set(part, next);
      at = next;
    }
    if (at.has(last)) throw ec2Fault('InvalidParameter', { name: shownName(name) });
    at.set(last, value);
  }
  return root;
}

const shownName = (name: string): string => name.slice(0, PARAMETER_LIMITS.nameCharsMax);

/** `Name.1`, `Name.2` …: in the order of the numbers' texts, which is Folsom's. */
export function listed(given: Given, name: string): Given[] {
  if (typeof given === 'string') return [given];
  const entries = [...given];
  if (entries.some(([number]) => !/^\d{1,6}$/.test(number))) throw ec2Fault('InvalidParameter', { name });
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
