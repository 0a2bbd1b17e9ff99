import { must } from '@folsom/core';
import { type ImageValues, isStatus } from '../image.ts';

/** Values that cannot be stored; the message is shown to the user. */
export class InvalidValue extends Error {}

const TEXT_LIMITS: Record<string, number> = {
  name: 255,
  disk_format: 20,
  container_format: 20,
  checksum: 32,
  owner: 255,
  location: 65_535,
};
const PROPERTY_NAME_CHARS_MAX = 255;
const PROPERTY_VALUE_BYTES_MAX = 65_535;
const INT32_MAX = 2_147_483_647;

/** What a JSON body says about an image, split into columns and properties; unknown and protected names are dropped. */
export function imageValues(data: Record<string, unknown>): {
  values: ImageValues;
  properties: Record<string, string | null> | undefined;
} {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(data)) {
    if (value === undefined) continue;
    if (Object.hasOwn(TEXT_LIMITS, name)) values[name] = textValue(name, value);
    else if (name === 'size')
      values.size = value === null ? null : integer(name, value, Number.MAX_SAFE_INTEGER);
    else if (name === 'min_disk' || name === 'min_ram') {
      values[name] = value === null || value === '' ? 0 : integer(name, value, INT32_MAX);
    } else if (name === 'is_public' || name === 'protected') values[name] = truth(value);
    else if (name === 'status') {
      if (value === null || value === '') throw new InvalidValue('Image status is required.');
      if (!isStatus(value)) throw new InvalidValue(`Invalid image status '${shown(value)}' for image.`);
      values.status = value;
    }
  }
  if ('owner' in values && values.owner === '') values.owner = null;
  return { values: values as ImageValues, properties: propertyValues(data.properties) };
}

/** Texts, whatever JSON they came as; undefined when there are none. */
function propertyValues(value: unknown): Record<string, string | null> | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw new InvalidValue('Invalid image properties.');
  const out: Record<string, string | null> = Object.create(null) as Record<string, string | null>;
  for (const [name, item] of Object.entries(value)) {
    if (name.length > PROPERTY_NAME_CHARS_MAX) throw new InvalidValue('Image property name too long.');
    if (item === null) {
      out[name] = null;
      continue;
    }
    if (typeof item === 'object')
      throw new InvalidValue(`Invalid value for image property '${name.slice(0, 64)}'.`);
    const text =
      typeof item === 'boolean' ? (item ? 'True' : 'False') : must(scalarText(item), 'it is a scalar');
    if (Buffer.byteLength(text) > PROPERTY_VALUE_BYTES_MAX) {
      throw new InvalidValue(`Value of image property '${name.slice(0, 64)}' too long.`);
    }
    out[name] = text;
  }
  return out;
}

/** What a text, a number or a boolean of a body reads as text; undefined for anything else. */
export const scalarText = (value: unknown): string | undefined =>
  ['string', 'number', 'boolean'].includes(typeof value) ? `${value}` : undefined;

function textValue(name: string, value: unknown): string | null {
  if (value === null) return null;
  const text = scalarText(value);
  if (text === undefined) throw new InvalidValue(`Invalid value for ${name}.`);
  if (text.length > must(TEXT_LIMITS[name], 'name is in TEXT_LIMITS'))
    throw new InvalidValue(`Image ${name} too long: ${text.length}`);
  return text;
}

function integer(name: string, value: unknown, max: number): number {
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value)
        ? Number(value)
        : Number.NaN;
  if (!Number.isSafeInteger(number) || Math.abs(number) > max) {
    throw new InvalidValue(`Invalid value '${shown(value)}' for ${name}: it must be an integer.`);
  }
  return number;
}

const truth = (value: unknown): boolean =>
  typeof value === 'string' ? /^\s*(true|on|1|yes|y)\s*$/i.test(value) : Boolean(value);

const shown = (value: unknown): string =>
  String(typeof value === 'object' ? JSON.stringify(value) : value).slice(0, 64);
