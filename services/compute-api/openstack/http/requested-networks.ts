import { isUuidLike } from '../../domain/values.ts';
import { badRequest } from './faults.ts';
import { isObject, shown } from './values.ts';

/** Networks of one request. */
const LIST_MAX = 64;

const isDottedQuad = (value: unknown): value is string =>
  typeof value === 'string' &&
  /^\d{1,3}(\.\d{1,3}){3}$/.test(value) &&
  value.split('.').every(part => Number(part) < 256);

/** `networks` of a boot: ids with the address wanted in each; null where the network service may choose. @throws 400 */
export function requestedNetworks(value: unknown): [string, string | null][] | null {
  if (value == null) return null;
  if (!Array.isArray(value) || value.length > LIST_MAX) throw badRequest('Bad networks format');
  const networks: [string, string | null][] = [];
  for (const item of value) {
    if (!isObject(item)) throw badRequest('Bad networks format');
    if (item.port) throw badRequest('Unknown argment : port');
    if (!('uuid' in item)) throw badRequest("Bad network format: missing 'uuid'");
    const uuid = item.uuid;
    const known =
      isUuidLike(uuid) || (typeof uuid === 'string' && isUuidLike(uuid.slice(uuid.indexOf('-') + 1)));
    if (!known)
      throw badRequest(`Bad networks format: network uuid is not in proper format (${shown(uuid)})`);
    const address = item.fixed_ip ?? null;
    if (address !== null && !isDottedQuad(address))
      throw badRequest(`Invalid fixed IP address (${shown(address)})`);
    if (networks.some(([id]) => id === uuid))
      throw badRequest(`Duplicate networks (${uuid}) are not allowed`);
    networks.push([uuid as string, address]);
  }
  return networks;
}
