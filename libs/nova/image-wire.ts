import type { IncomingHttpHeaders } from 'node:http';
import { novaFault } from './faults.ts';
import type { ImageWire } from './rpc/wire.ts';

// What the image service's v1 says and is told, as headers and JSON: one reading for whoever asks it.

/** The image services that `glance_api_servers` names, as URLs: `host:port` is plain HTTP. */
export const imageServers = (servers: readonly string[]): string[] =>
  servers.map(server => (/^https?:\/\//i.test(server) ? server.replace(/\/+$/, '') : `http://${server}`));

/** A text that is no Unicode names no image, and cannot be written into a path as it is. */
export const imagePath = (id: string): string => `/v1/images/${encodeURIComponent(id.toWellFormed())}`;

const JSON_PROPERTIES = ['block_device_mapping', 'mappings'];

const text = (value: string): string => Buffer.from(value, 'latin1').toString('utf8');
const latin = (value: string): string =>
  Buffer.from(value.replace(/[\r\n\0]+/g, ' '), 'utf8').toString('latin1');

const isTrue = (value: string | null): boolean => value !== null && value.toLowerCase() === 'true';
const orNull = (value: string | null | undefined): string | null =>
  value === undefined || value === null || value === '' || value === 'None' ? null : value;

/** Times as messages carry them, whatever form glance gave. */
const time = (value: unknown): string | null => {
  if (typeof value !== 'string' || value === '' || value === 'None') return null;
  const at = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(value) ? value : `${value}Z`);
  return Number.isNaN(at) ? null : `${new Date(at).toISOString().slice(0, 19)}.000000`;
};

/** An image as headers describe it. */
export function imageFromHeaders(headers: IncomingHttpHeaders): ImageWire {
  const meta = (name: string): string | null => {
    const value = headers[`x-image-meta-${name}`];
    return value === undefined ? null : text(String(value));
  };
  const properties: Record<string, unknown> = {};
  const prefix = 'x-image-meta-property-';
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(prefix)) properties[name.slice(prefix.length)] = text(String(value));
  }
  return {
    id: meta('id') ?? '',
    name: meta('name'),
    status: meta('status') ?? '',
    size: Number(meta('size') ?? 0),
    checksum: orNull(meta('checksum')),
    disk_format: orNull(meta('disk_format')),
    container_format: orNull(meta('container_format')),
    min_disk: Number(meta('min_disk') ?? 0),
    min_ram: Number(meta('min_ram') ?? 0),
    owner: orNull(meta('owner')),
    is_public: isTrue(meta('is_public')),
    created_at: time(meta('created_at')),
    updated_at: time(meta('updated_at')),
    deleted_at: time(meta('deleted_at')),
    deleted: isTrue(meta('deleted')),
    properties: readJsonProperties(properties),
  };
}

/** An image as a document describes it. */
export function imageFromJson(image: Record<string, unknown>): ImageWire {
  return {
    id: String(image.id),
    name: (image.name as string | null) ?? null,
    status: String(image.status ?? ''),
    size: Number(image.size ?? 0),
    checksum: (image.checksum as string | null) ?? null,
    disk_format: (image.disk_format as string | null) ?? null,
    container_format: (image.container_format as string | null) ?? null,
    min_disk: Number(image.min_disk ?? 0),
    min_ram: Number(image.min_ram ?? 0),
    owner: (image.owner as string | null) ?? null,
    is_public: Boolean(image.is_public),
    created_at: time(image.created_at),
    updated_at: time(image.updated_at),
    deleted_at: time(image.deleted_at),
    deleted: Boolean(image.deleted),
    properties: readJsonProperties({ ...((image.properties as Record<string, unknown> | undefined) ?? {}) }),
  };
}

/** Two properties hold JSON; what does not parse stays the text it is. */
function readJsonProperties(properties: Record<string, unknown>): Record<string, unknown> {
  for (const name of JSON_PROPERTIES) {
    const value = properties[name];
    if (typeof value !== 'string') continue;
    try {
      properties[name] = JSON.parse(value);
    } catch {
      // Left as text: nobody but its owner is hurt.
    }
  }
  return properties;
}

const SENT = [
  'id',
  'name',
  'size',
  'checksum',
  'disk_format',
  'container_format',
  'min_disk',
  'min_ram',
  'owner',
  'is_public',
] as const;

/** What is said of an image, as headers. @throws Fault `Invalid` for a property that cannot be one */
export function imageHeaders(image: Partial<ImageWire>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of SENT) {
    const value = image[name];
    if (value !== undefined && value !== null) headers[`x-image-meta-${name}`] = latin(pythonText(value));
  }
  for (const [name, value] of Object.entries(image.properties ?? {})) {
    if (value === null || value === undefined) continue;
    const shown = typeof value === 'object' ? JSON.stringify(value) : pythonText(value);
    headers[`x-image-meta-property-${headerName(name)}`] = latin(shown);
  }
  return headers;
}

const pythonText = (value: unknown): string =>
  value === true ? 'True' : value === false ? 'False' : String(value);

/** Names travel as header names. @throws Fault `Invalid` for one that cannot. */
function headerName(name: string): string {
  if (!/^[!#$%&'*+.^_`|~\w-]{1,255}$/.test(name)) {
    throw novaFault('Invalid', {}, { message: `Invalid image property name: ${name.slice(0, 255)}` });
  }
  return name.toLowerCase();
}
