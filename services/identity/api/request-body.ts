import { isFault } from '@folsom/core';
import { identityFromXml } from '@folsom/wire/identity-xml';
import { parseJson } from '@folsom/wire/json';
import { fault, invalid, missing } from '../faults.ts';
import type { Operation } from './operation.ts';

/** Reads a body in either notation to its top-level fields; without a body there are none. */
export function readBody(raw: unknown, contentType: string | undefined): Record<string, unknown> {
  if (!Buffer.isBuffer(raw) || raw.length === 0) return {};
  const type = contentType ?? '';
  if (type.includes('application/xml')) return withoutReserved(readXml(raw));
  if (type.split(';', 1)[0]!.trim().toLowerCase() !== 'application/json') {
    throw missing('application/json', 'Content-Type header');
  }
  let value: unknown;
  try {
    value = parseJson(raw);
  } catch {
    throw missing('valid JSON');
  }
  // What Python takes for empty counts as no body: clients send `null` where they have nothing to say.
  if (value === null || value === '' || value === 0 || value === false) return {};
  if (Array.isArray(value) && value.length === 0) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw missing('a JSON object');
  return withoutReserved(value as Record<string, unknown>);
}

function readXml(raw: Buffer): Record<string, unknown> {
  try {
    return identityFromXml(raw);
  } catch (error) {
    if (isFault(error, 'MalformedXml')) throw missing('valid XML');
    throw error;
  }
}

const withoutReserved = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).filter(([key]) => key !== 'self' && key !== 'context' && !key.startsWith('_')),
  );

/** Checks the top-level fields against what the operation declares. */
export function checkBody(operation: Operation, body: Readonly<Record<string, unknown>>): void {
  const declared = operation.body;
  if (!declared) return;
  for (const [field, need] of Object.entries(declared)) {
    if (need !== 'object') continue;
    const value = body[field];
    if (value === undefined || value === null) throw missing(field);
    if (typeof value !== 'object' || Array.isArray(value)) throw missing(`an object as ${field}`);
  }
  const unknown = Object.keys(body).find(field => !Object.hasOwn(declared, field));
  if (unknown !== undefined) throw invalid(`Unexpected attribute in request body: ${unknown.slice(0, 64)}`);
}

/** A field that must be text of bounded length when it is given. */
export function textField(
  object: Readonly<Record<string, unknown>>,
  field: string,
  charsMax: number,
): string | undefined {
  const value = object[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw missing(`text as ${field}`);
  if (value.length > charsMax) throw fault('ValidationSizeError', { attribute: field, size: charsMax });
  return value;
}
