import type { IncomingHttpHeaders } from 'node:http';
import { imageFault } from '../faults.ts';
import type { ImageMeta } from '../image.ts';

/** What `x-image-meta-*` headers say: fields as sent (empty ones null), sizes and booleans read. */
export interface HeaderMeta {
  fields: Record<string, unknown> & {
    id?: string | null;
    name?: string | null;
    size?: number | null;
    disk_format?: string | null;
    container_format?: string | null;
    checksum?: string | null;
    location?: string | null;
    is_public?: boolean;
    protected?: boolean;
  };
  properties: Record<string, string | null>;
}

const PREFIX = 'x-image-meta-';
const PROPERTY_PREFIX = 'x-image-meta-property-';
const BOOLEANS = new Set(['is_public', 'deleted', 'protected']);

/** Header bytes are UTF-8 on the wire; Node hands them over as Latin-1. */
export function headerText(value: string | string[]): string {
  const latin = Array.isArray(value) ? value.join(', ') : value;
  const bytes = Buffer.from(latin, 'latin1');
  const text = bytes.toString('utf8');
  return text.includes('�') ? latin : text;
}

export const truthOf = (text: string | null): boolean =>
  text !== null && /^(true|on|1|yes|y)$/i.test(text.trim());

/** @throws 400 for a size that is no number. */
export function metaFromHeaders(headers: IncomingHttpHeaders): HeaderMeta {
  const fields: HeaderMeta['fields'] = {};
  const properties: Record<string, string | null> = Object.create(null) as Record<string, string | null>;
  for (const [header, raw] of Object.entries(headers)) {
    if (raw === undefined || !header.startsWith(PREFIX)) continue;
    const text = headerText(raw);
    const value = text === '' ? null : text;
    if (header.startsWith(PROPERTY_PREFIX)) {
      properties[header.slice(PROPERTY_PREFIX.length).replaceAll('-', '_')] = value;
      continue;
    }
    const name = header.slice(PREFIX.length).replaceAll('-', '_');
    if (name === 'size' && value !== null) {
      const number = /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : Number.NaN;
      if (!Number.isSafeInteger(number)) {
        throw imageFault('InvalidImage', {
          explanation: `Incoming image size of ${text.slice(0, 255)} was not convertible to an integer.`,
        });
      }
      fields.size = number;
    } else if (BOOLEANS.has(name)) fields[name] = truthOf(value);
    else fields[name] = value;
  }
  return { fields, properties };
}

/** The headers that describe an image, names as Folsom's server capitalised them. The location is never among them. */
export function headersFromMeta(image: ImageMeta): Record<string, string> {
  const out: Record<string, string> = {};
  const put = (name: string, value: unknown) => {
    const text = headerValue(value);
    const header = capitalised(name);
    if (text !== null && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(header)) out[header] = text;
  };
  for (const [name, value] of Object.entries(image)) {
    if (name === 'location') continue;
    if (name === 'properties') {
      for (const [property, text] of Object.entries(image.properties)) {
        put(`${PROPERTY_PREFIX}${property.toLowerCase()}`, text);
      }
    } else put(`${PREFIX}${name}`, value);
  }
  return out;
}

/** Python's text of a value as UTF-8 bytes; control characters, which would end the header, become blanks. */
function headerValue(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  const text = typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value);
  return Buffer.from(text.replace(/[\u0000-\u001f\u007f]/g, ' '), 'utf8').toString('latin1');
}

const capitalised = (name: string): string =>
  name
    .split('-')
    .map(part => part.charAt(0).toUpperCase() + part.slice(1).toLowerCase())
    .join('-');
