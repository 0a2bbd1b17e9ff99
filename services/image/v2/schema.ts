import { must } from '@folsom/core';
import { CONTAINER_FORMATS } from '../image.ts';

/** A property of the image schema, in the few words of JSON Schema that Folsom uses. */
export interface PropertySchema {
  type: 'string' | 'integer' | 'boolean' | 'array';
  description?: string;
  enum?: readonly string[];
  maxLength?: number;
  pattern?: string;
  items?: PropertySchema;
}

const UUID_PATTERN =
  '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$';

const BASE: Record<string, PropertySchema> = {
  id: { type: 'string', description: 'An identifier for the image', pattern: UUID_PATTERN },
  name: { type: 'string', description: 'Descriptive name for the image', maxLength: 255 },
  status: {
    type: 'string',
    description: 'Status of the image',
    enum: ['queued', 'saving', 'active', 'killed', 'deleted', 'pending_delete'],
  },
  visibility: {
    type: 'string',
    description: 'Scope of image accessibility',
    enum: ['public', 'private'],
  },
  protected: { type: 'boolean', description: 'If true, image will not be deletable.' },
  checksum: { type: 'string', description: 'md5 hash of image contents.', maxLength: 32 },
  size: { type: 'integer', description: 'Size of image file in bytes' },
  container_format: {
    type: 'string',
    description: '',
    enum: ['bare', 'ovf', ...CONTAINER_FORMATS.filter(name => name.startsWith('a')).sort(amazonOrder)],
  },
  disk_format: {
    type: 'string',
    description: '',
    enum: ['raw', 'vhd', 'vmdk', 'vdi', 'iso', 'qcow2', 'aki', 'ari', 'ami'],
  },
  created_at: { type: 'string', description: 'Date and time of image registration' },
  updated_at: { type: 'string', description: 'Date and time of the last image modification' },
  tags: {
    type: 'array',
    description: 'List of strings related to the image',
    items: { type: 'string', maxLength: 255 },
  },
  direct_url: { type: 'string', description: 'URL to access the image file kept in external store' },
  min_ram: { type: 'integer', description: 'Amount of ram (in MB) required to boot image.' },
  min_disk: { type: 'integer', description: 'Amount of disk space (in GB) required to boot image.' },
  self: { type: 'string' },
  file: { type: 'string' },
  schema: { type: 'string' },
};

function amazonOrder(a: string, b: string): number {
  const order = ['ami', 'aki', 'ari'];
  return order.indexOf(a) - order.indexOf(b);
}

/** The properties Folsom's own schema-image.json adds. */
const STOCK_CUSTOM_PROPERTIES: Record<string, PropertySchema> = {
  kernel_id: {
    type: 'string',
    pattern: UUID_PATTERN,
    description:
      'ID of image stored in Glance that should be used as the kernel when booting an AMI-style image.',
  },
  ramdisk_id: {
    type: 'string',
    pattern: UUID_PATTERN,
    description:
      'ID of image stored in Glance that should be used as the ramdisk when booting an AMI-style image.',
  },
  instance_uuid: { type: 'string', description: 'ID of instance used to create this image.' },
};

const LINKS = [
  { rel: 'self', href: '{self}' },
  { rel: 'enclosure', href: '{file}' },
  { rel: 'describedby', href: '{schema}' },
];

export interface ImageSchema {
  raw: Record<string, unknown>;
  collection: Record<string, unknown>;
  /** The first thing wrong with an object, in the words Folsom's validator used; null when all is well. */
  problem(object: unknown): string | null;
  /** Whether answers show a property of this name. */
  shows(name: string): boolean;
}

/** @param permissive whether images may have properties the schema does not name */
export function imageSchema(custom: Record<string, unknown> | null, permissive: boolean): ImageSchema {
  const properties: Record<string, PropertySchema> = {
    ...BASE,
    ...((custom ?? STOCK_CUSTOM_PROPERTIES) as Record<string, PropertySchema>),
  };
  const raw: Record<string, unknown> = {
    name: 'image',
    properties,
    additionalProperties: permissive ? { type: 'string' } : false,
    ...(permissive ? { links: LINKS } : {}),
  };
  return {
    raw,
    collection: {
      name: 'images',
      properties: {
        images: { type: 'array', items: raw },
        first: { type: 'string' },
        next: { type: 'string' },
        schema: { type: 'string' },
      },
      links: [
        { rel: 'first', href: '{first}' },
        { rel: 'next', href: '{next}' },
        { rel: 'describedby', href: '{schema}' },
      ],
    },
    shows: name => permissive || Object.hasOwn(properties, name),
    problem: object => {
      if (object === null || typeof object !== 'object' || Array.isArray(object)) {
        return `${pythonRepr(object)} is not of type 'object'`;
      }
      for (const [name, value] of Object.entries(object)) {
        const schema = Object.hasOwn(properties, name)
          ? must(properties[name], 'name is in properties')
          : null;
        if (schema) {
          const found = problemOf(value, schema);
          if (found) return found;
        } else if (!permissive) {
          return `Additional properties are not allowed (${pythonRepr(name)} was unexpected)`;
        } else if (typeof value !== 'string') return `${pythonRepr(value)} is not of type 'string'`;
      }
      return null;
    },
  };
}

function problemOf(value: unknown, schema: PropertySchema): string | null {
  if (!hasType(value, schema.type)) return `${pythonRepr(value)} is not of type '${schema.type}'`;
  if (schema.enum && !schema.enum.includes(value as string)) {
    return `${pythonRepr(value)} is not one of [${schema.enum.map(item => `'${item}'`).join(', ')}]`;
  }
  if (schema.maxLength !== undefined && [...(value as string)].length > schema.maxLength) {
    return `${pythonRepr(value)} is too long`;
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value as string)) {
    return `${pythonRepr(value)} does not match '${schema.pattern}'`;
  }
  if (schema.items) {
    for (const item of value as unknown[]) {
      const found = problemOf(item, schema.items);
      if (found) return found;
    }
  }
  return null;
}

function hasType(value: unknown, type: PropertySchema['type']): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'array':
      return Array.isArray(value);
  }
}

const SHOWN_CHARS_MAX = 1024;

/** A value as Python 2 prints it inside a message, cut to a bearable length. */
function pythonRepr(value: unknown): string {
  const text = repr(value, 0);
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}...` : text;
}

function repr(value: unknown, depth: number): string {
  if (depth > 8) return '...';
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return reprText(value.slice(0, SHOWN_CHARS_MAX));
  if (Array.isArray(value))
    return `[${value
      .slice(0, 100)
      .map(item => repr(item, depth + 1))
      .join(', ')}]`;
  if (typeof value === 'object') {
    const items = Object.entries(value).slice(0, 100);
    return `{${items.map(([key, item]) => `${reprText(key)}: ${repr(item, depth + 1)}`).join(', ')}}`;
  }
  return String(value);
}

function reprText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = '';
  for (const char of text) {
    const code = must(char.codePointAt(0), 'a character has a code');
    if (char === '\\' || char === quote) out += `\\${char}`;
    else if (char === '\n') out += '\\n';
    else if (char === '\r') out += '\\r';
    else if (char === '\t') out += '\\t';
    else if (code < 0x20 || (code >= 0x7f && code < 0x100)) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (code > 0xffff) out += `\\U${code.toString(16).padStart(8, '0')}`;
    else if (code >= 0x100) out += `\\u${code.toString(16).padStart(4, '0')}`;
    else out += char;
  }
  return `u${quote}${out}${quote}`;
}
