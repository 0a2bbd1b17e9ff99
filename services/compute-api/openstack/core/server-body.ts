import { isIPv6 } from 'node:net';
import Type, { type TProperties } from 'typebox';
import { decodeBase64 } from '../../domain/base64.ts';
import { isUuidLike } from '../../domain/values.ts';
import { badRequest, unprocessable } from '../http/faults.ts';
import { idFromHref } from '../http/links.ts';
import { NAME_CHARS_MAX, name, readBy } from '../http/shapes.ts';
import { isObject, scalarText } from '../http/values.ts';

const serverName = (value: unknown): string => {
  if (value === undefined) throw badRequest('Server name is not defined');
  if (typeof value !== 'string') throw badRequest('Server name is not a string or unicode');
  if (value.trim() === '') throw badRequest('Server name is an empty string');
  if (value.length > NAME_CHARS_MAX) throw badRequest('Server name must be less than 256 characters.');
  return value.trim();
};

/** The id an image reference ends with. */
const imageIdOf =
  (missing: string) =>
  (reference: unknown): string => {
    if (reference === undefined) throw badRequest(missing);
    const id = scalarText(reference)?.split('/').pop() ?? '';
    if (!isUuidLike(id)) throw badRequest('Invalid imageRef provided.');
    return id;
  };

/** The id a flavor reference ends with. */
const flavorIdOf = (reference: unknown): string => {
  if (reference === undefined) throw badRequest('Missing flavorRef attribute');
  const href = scalarText(reference);
  if (href === undefined) throw badRequest('Invalid flavorRef provided.');
  return idFromHref(href);
};

const newFlavorIdOf = (reference: unknown): string => {
  if (reference === undefined) throw badRequest("Resize requests require 'flavorRef' attribute.");
  if (!reference) throw badRequest("Resize request has invalid 'flavorRef' attribute.");
  return flavorIdOf(reference);
};

/** `personality` as paths and plain contents. */
function injectedFilesOf(personality: unknown): [string, string][] {
  if (!personality) return [];
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

/** An address of that family, or the empty text. */
const accessAddress =
  (version: 4 | 6) =>
  (value: unknown): string => {
    if (value === '') return '';
    const good =
      typeof value === 'string' && (version === 4 ? isInetAton(value.trim()) : isIPv6(value.trim()));
    if (!good) throw badRequest(`accessIPv${version} is not proper IPv${version} format`);
    return value.trim();
  };

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

/** Metadata values are texts; numbers and booleans are taken as Folsom's own clients would print them. */
export const metadataOf =
  (complaint: string) =>
  (value: unknown): Record<string, string> => {
    if (!isObject(value)) throw badRequest(complaint);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        const text = scalarText(item);
        if (text === undefined) throw badRequest(complaint);
        return [key, text];
      }),
    );
  };
const METADATA = 'Unable to parse metadata key/value pairs.';

const adminPass = Type.Optional(name('Invalid adminPass'));
const orNone = <Value>(read: (value: unknown) => Value) =>
  readBy(value => (value == null ? null : read(value)));
const orEmpty = <Value>(read: (value: unknown) => Value) => readBy(value => read(value ?? ''));

/** What every server is booted with; extensions bring more. */
export const bootShape = {
  adminPass,
  name: readBy(serverName),
  imageRef: readBy(imageIdOf('Missing imageRef attribute')),
  personality: Type.Optional(readBy(injectedFilesOf)),
  accessIPv4: Type.Optional(orNone(accessAddress(4))),
  accessIPv6: Type.Optional(orNone(accessAddress(6))),
  flavorRef: readBy(flavorIdOf),
  metadata: Type.Optional(readBy(value => metadataOf(METADATA)(value ?? {}))),
};

/** What may be changed of every server. */
export const updateShape = {
  name: Type.Optional(readBy(serverName)),
  accessIPv4: Type.Optional(orEmpty(accessAddress(4))),
  accessIPv6: Type.Optional(orEmpty(accessAddress(6))),
  hostId: Type.Optional(
    readBy((): undefined => {
      throw badRequest('HostId cannot be updated.');
    }),
  ),
};

export const rebuildImage = imageIdOf('Could not parse imageRef from request.');
export const rebuildShape = {
  imageRef: readBy(rebuildImage),
  adminPass,
  accessIPv4: Type.Optional(readBy(accessAddress(4))),
  accessIPv6: Type.Optional(readBy(accessAddress(6))),
  name: Type.Optional(readBy(serverName)),
  metadata: Type.Optional(readBy(metadataOf(METADATA))),
  personality: Type.Optional(readBy(injectedFilesOf)),
};

export const resizeShape = { flavorRef: readBy(newFlavorIdOf) };

/** `{"server": {...}}`, with 422 for whatever is none. */
export const serverBody = <Server extends TProperties, Beside extends TProperties = Record<never, never>>(
  server: Server,
  beside: Beside = {} as Beside,
) =>
  Type.Object(
    { server: Type.Object(server, { says: () => unprocessable() }), ...beside },
    { says: () => unprocessable() },
  );
