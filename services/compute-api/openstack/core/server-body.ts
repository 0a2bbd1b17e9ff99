import { isIPv6 } from 'node:net';
import { BLOCK_DEVICES_MAX, type BlockDevice, readDevice } from '../../domain/block-devices.ts';
import type { BootRequest } from '../../domain/boot.ts';
import { generatePassword } from '../../domain/passwords.ts';
import { badRequest, unprocessable } from '../http/faults.ts';
import { idFromHref } from '../http/links.ts';
import {
  type ApiRequest,
  boolFromString,
  entity,
  integer,
  isObject,
  isUuidLike,
  type JsonObject,
  NAME_CHARS_MAX,
  scalarText,
} from '../http/request.ts';

/** A boot request as the body says it; the flavor is still only named. */
export interface ReadBoot {
  flavorId: string;
  returnReservationId: boolean;
  request: Omit<BootRequest, 'flavor'>;
}

/** Networks, groups, hints of one request. */
const LIST_MAX = 64;
const HINT_BYTES_MAX = 8 * 1024;

/** Reads the body of POST servers in the order in which Folsom complains. @throws 400, 422 */
export function readBoot(api: ApiRequest): ReadBoot {
  const { deps } = api;
  const body = entity(api.body, 'server');
  if (!body) throw unprocessable();
  const schedulerHints = readHints(api, body);
  const disk = autoDiskConfig(api, body);
  const adminPassword = adminPasswordOf(api, body.adminPass, 'adminPass' in body);
  if (!('name' in body)) throw badRequest('Server name is not defined');
  const name = serverName(body.name);
  if (body.imageRef === undefined) throw badRequest('Missing imageRef attribute');
  const imageId = imageIdOf(body.imageRef);
  const injectedFiles = body.personality ? injectedFilesOf(body.personality) : [];
  const securityGroups = readGroups(
    deps.registry.loaded('os-security-groups') ? body.security_groups : undefined,
  );
  const networks = deps.registry.loaded('os-networks') ? readNetworks(body.networks) : null;
  const accessIpV4 = body.accessIPv4 == null ? null : accessAddress(4, body.accessIPv4);
  const accessIpV6 = body.accessIPv6 == null ? null : accessAddress(6, body.accessIPv6);
  if (body.flavorRef === undefined) throw badRequest('Missing flavorRef attribute');
  const flavorId = flavorIdOf(body.flavorRef);
  const ifLoaded = (alias: string, value: unknown) => (deps.registry.loaded(alias) ? value : undefined);
  const keyName = ifLoaded('os-keypairs', body.key_name);
  const userData = readUserData(ifLoaded('os-user-data', body.user_data));
  const zone = ifLoaded('os-availability-zone', body.availability_zone);
  const blockDevices = readBlockDevices(body.block_device_mapping);
  const counts = readCounts(ifLoaded('os-multiple-create', body) as JsonObject | undefined);
  return {
    flavorId,
    returnReservationId: counts.returnReservationId,
    request: {
      imageId,
      name,
      minCount: counts.min,
      maxCount: counts.max,
      keyName: keyName == null || keyName === '' ? null : text(keyName, 'Invalid key_name provided.'),
      metadata: readMetadataBody(body.metadata ?? {}),
      injectedFiles,
      adminPassword,
      securityGroups,
      networks,
      availabilityZone: zone == null ? null : text(zone, 'Invalid availability_zone provided.'),
      userData,
      configDrive: readConfigDrive(ifLoaded('os-config-drive', body.config_drive)),
      blockDevices,
      accessIpV4,
      accessIpV6,
      autoDiskConfig: disk ?? null,
      schedulerHints,
    },
  };
}

/** Any text that fits a column. */
function text(value: unknown, complaint: string): string {
  if (typeof value !== 'string' || value.length > NAME_CHARS_MAX) throw badRequest(complaint);
  return value;
}

export function serverName(value: unknown): string {
  if (typeof value !== 'string') throw badRequest('Server name is not a string or unicode');
  if (value.trim() === '') throw badRequest('Server name is an empty string');
  if (value.length > NAME_CHARS_MAX) throw badRequest('Server name must be less than 256 characters.');
  return value.trim();
}

/** The password of the body, or a new one. */
export function adminPasswordOf(api: ApiRequest, value: unknown, given: boolean): string {
  if (!given) return generatePassword(api.deps.random, api.deps.config.password_length);
  if (typeof value !== 'string' || value.length > NAME_CHARS_MAX) throw badRequest('Invalid adminPass');
  return value;
}

/** The id an image reference ends with. */
export function imageIdOf(reference: unknown): string {
  const id = scalarText(reference)?.split('/').pop() ?? '';
  if (!isUuidLike(id)) throw badRequest('Invalid imageRef provided.');
  return id;
}

/** The id a flavor reference ends with. */
export function flavorIdOf(reference: unknown): string {
  const href = scalarText(reference);
  if (href === undefined) throw badRequest('Invalid flavorRef provided.');
  return idFromHref(href);
}

/** `personality` as paths and plain contents. */
export function injectedFilesOf(personality: unknown): [string, string][] {
  if (!Array.isArray(personality)) throw badRequest('Bad personality format');
  return personality.map(item => {
    if (!isObject(item)) throw badRequest('Bad personality format');
    for (const key of ['path', 'contents']) {
      if (!(key in item)) throw badRequest(`Bad personality format: missing '${key}'`);
    }
    const contents = decodeBase64(item.contents);
    if (typeof item.path !== 'string') throw badRequest('Bad personality format');
    if (contents === undefined) throw badRequest(`Personality content for ${item.path} cannot be decoded`);
    return [item.path, contents.toString('latin1')];
  });
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decodeBase64(value: unknown): Buffer | undefined {
  if (typeof value !== 'string') return undefined;
  const plain = value.replace(/\s/g, '');
  return BASE64.test(plain) ? Buffer.from(plain, 'base64') : undefined;
}

function readUserData(value: unknown): string | null {
  if (value == null || value === '') return null;
  if (decodeBase64(value) === undefined) throw badRequest('Userdata content cannot be decoded');
  return value as string;
}

/** An address of that family, or the empty text. */
export function accessAddress(version: 4 | 6, value: unknown): string {
  if (value === '') return '';
  const good = typeof value === 'string' && (version === 4 ? isInetAton(value.trim()) : isIPv6(value.trim()));
  if (!good) throw badRequest(`accessIPv${version} is not proper IPv${version} format`);
  return (value as string).trim();
}

/** The C library's reading: one to four numbers, decimal, octal or hexadecimal. */
function isInetAton(value: string): boolean {
  const parts = value.split('.');
  if (parts.length > 4) return false;
  return parts.every((part, at) => {
    if (!/^(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.test(part)) return false;
    const number = /^0[0-7]+$/.test(part) ? Number.parseInt(part, 8) : Number(part);
    const last = at === parts.length - 1;
    return number < (last ? 256 ** (5 - parts.length) : 256);
  });
}

const isDottedQuad = (value: unknown): value is string =>
  typeof value === 'string' &&
  /^\d{1,3}(\.\d{1,3}){3}$/.test(value) &&
  value.split('.').every(part => Number(part) < 256);

function readGroups(value: unknown): string[] {
  if (value == null) return ['default'];
  if (!Array.isArray(value) || value.length > LIST_MAX) throw badRequest();
  const names = value.map(item => {
    if (!isObject(item) || !('name' in item)) throw badRequest();
    return item.name === null || item.name === '' ? '' : text(item.name, 'Invalid security group name.');
  });
  const given = [...new Set(names.filter(name => name !== ''))];
  return given.length > 0 ? given : ['default'];
}

/** A value of any type as a complaint repeats it. */
const shown = (value: unknown): string => (scalarText(value) ?? typeof value).slice(0, NAME_CHARS_MAX);

function readNetworks(value: unknown): [string, string | null][] | null {
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

function readBlockDevices(value: unknown): BlockDevice[] {
  if (value == null) return [];
  if (!Array.isArray(value) || value.length > BLOCK_DEVICES_MAX) throw badRequest();
  return value.map(item => {
    const device = isObject(item) ? readDevice(item) : undefined;
    if (!device) throw badRequest();
    return device;
  });
}

/** Metadata values are texts; numbers and booleans are taken as Folsom's own clients would print them. */
export function readMetadataBody(value: unknown): Record<string, string> {
  if (!isObject(value)) throw badRequest('Unable to parse metadata key/value pairs.');
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (typeof item === 'string') return [key, item];
      if (typeof item === 'number' || typeof item === 'boolean') return [key, String(item)];
      throw badRequest('Unable to parse metadata key/value pairs.');
    }),
  );
}

function readConfigDrive(value: unknown): string | boolean | null {
  if (value === true) return true;
  if (!value) return null;
  const named = text(scalarText(value), 'Invalid config_drive provided.');
  return /^(true|1)$/i.test(named) && typeof value !== 'string' ? true : named;
}

function readCounts(body: JsonObject | undefined) {
  const count = (value: unknown) => {
    const number = integer(value);
    if (number === undefined || number < 1) throw badRequest();
    return number;
  };
  const min = count(body?.min_count ?? 1);
  const max = count(body?.max_count ?? min);
  if (min > max) throw badRequest();
  return { min, max, returnReservationId: boolFromString(body?.return_reservation_id) };
}

/** Hints stand beside the server in JSON and inside it in XML. */
function readHints(api: ApiRequest, body: JsonObject): Record<string, unknown> {
  if (!api.deps.registry.loaded('OS-SCH-HNT')) return {};
  const outer = api.body as JsonObject;
  const hints =
    body['OS-SCH-HNT:scheduler_hints'] ?? outer['OS-SCH-HNT:scheduler_hints'] ?? outer['os:scheduler_hints'];
  if (hints == null) return {};
  if (!isObject(hints) || JSON.stringify(hints).length > HINT_BYTES_MAX) throw badRequest();
  return hints;
}

/** Disk configuration of a body that names one, in either spelling. */
export function autoDiskConfig(api: ApiRequest, body: JsonObject): boolean | undefined {
  if (!api.deps.registry.loaded('OS-DCF')) return undefined;
  const value = body['OS-DCF:diskConfig'];
  if (value !== undefined) {
    if (value === 'AUTO') return true;
    if (value === 'MANUAL') return false;
    throw badRequest("OS-DCF:diskConfig must be either 'MANUAL' or 'AUTO'.");
  }
  return 'auto_disk_config' in body ? boolFromString(body.auto_disk_config) : undefined;
}
