import { quotePath, unquoteBytes, utf8FromBytes } from '@folsom/swift-http';

/**
 * Beyond swift 1.7's own protocol: an object server that says so in its answers takes the change of an object on several
 * of its devices in one request. Original servers never say so, and get a request for each.
 */

/** On answers to changes: the server knows {@link EACH_METHODS}. */
export const EACH_HEADER = 'x-backend-each';

/** By the method of the requests that it stands for. */
export const EACH_METHODS = { PUT: 'PUT-EACH', DELETE: 'DELETE-EACH' } as const;

export type EachMethod = keyof typeof EACH_METHODS;

/** Names of the devices, quoted, a comma between two. */
export const EACH_DEVICES = 'x-backend-devices';
const EACH_MAX = 16;

/** These hold a value for each device, quoted, in the order of the devices; an empty one is none. */
const EACH_LISTS: readonly string[] = ['x-container', 'x-delete-at'].flatMap(prefix =>
  ['host', 'partition', 'device'].map(part => `${prefix}-${part}`),
);

/** What became of one of them: status, ETag ('' if there is none), text. The answer's body is a JSON list of these. */
export type EachAnswer = [status: number, etag: string, text: string];

/** A replica that could have been changed, had there been no trouble with another: it wants a request of its own. */
export const EACH_BY_ITSELF = 503;

const quoted = (value: string): string => value.replaceAll('%', '%25').replaceAll(',', '%2C');

/** The headers of one request for those of many. */
export function joinEach(
  devices: readonly string[],
  headers: readonly ReadonlyMap<string, string>[],
): Map<string, string> {
  const joined = new Map(headers[0]);
  joined.set(EACH_DEVICES, devices.map(device => quotePath(device)).join(','));
  for (const name of EACH_LISTS) {
    if (!headers.some(own => own.has(name))) continue;
    joined.set(name, headers.map(own => quoted(own.get(name) ?? '')).join(','));
  }
  return joined;
}

/** The devices of such a request with the headers of each; null if it makes no sense. */
export function splitEach(
  joined: ReadonlyMap<string, string>,
): { device: string; headers: Map<string, string> }[] | null {
  const listOf = (name: string): string[] | null => {
    const value = joined.get(name);
    return value === undefined ? null : value.split(',').map(unquoteBytes);
  };
  const devices = listOf(EACH_DEVICES);
  if (!devices || devices.length > EACH_MAX || new Set(devices).size < devices.length) return null;
  const each: { device: string; headers: Map<string, string> }[] = [];
  for (const bytes of devices) {
    const device = utf8FromBytes(bytes);
    if (device === null) return null;
    each.push({ device, headers: new Map(joined) });
  }
  for (const name of EACH_LISTS) {
    const values = listOf(name);
    if (!values) continue;
    if (values.length !== devices.length) return null;
    each.forEach(({ headers }, i) => {
      const value = values[i];
      if (value) headers.set(name, value);
      else headers.delete(name);
    });
  }
  return each;
}
