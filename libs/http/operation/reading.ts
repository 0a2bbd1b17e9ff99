import { isFault, must } from '@folsom/core';
import { parseXml, type XmlElement } from '@folsom/wire';
import { parseJson } from '@folsom/wire/json';
import type { FastifyRequest } from 'fastify';
import type { Front } from './front.ts';
import type { Operation } from './operation.ts';
import { isStream } from './shapes.ts';
import { bodyOfXml, valueOfXml } from './xml-body.ts';

/** The operation that is asked for and its body as it was sent. */
export interface ReadRequest {
  operation: Operation;
  body: unknown;
}

/** Operations of one method and path: one, or several told apart by the key of their body. */
export type Choice = Operation | ReadonlyMap<string, Operation>;

const FORM = 'application/x-www-form-urlencoded';

type AnyFront = Front<unknown, unknown>;

/** Reads the body in its notation and finds the operation by it. @throws the front's complaints */
export function readRequest(choice: Choice, request: FastifyRequest, front: AnyFront): ReadRequest {
  const one = choice instanceof Map ? undefined : (choice as Operation);
  if (one) refuseMediaType(one, request, front);
  if (one && isStream(one.body)) return { operation: one, body: request.body ?? null };
  const raw = Buffer.isBuffer(request.body) && request.body.length > 0 ? request.body : undefined;
  const notation = raw && front.notation(request.headers['content-type']);
  if (one) {
    const sent =
      raw === undefined ? undefined : notation === undefined ? formOf(raw, one, request) : readBody(raw, one);
    const body = front.body ? front.body(sent, one) : sent;
    if (body === undefined && (one.bodyRequired ?? one.body !== undefined))
      throw front.complaints.noBody(one);
    return { operation: one, body };
  }
  return byKey(choice as ReadonlyMap<string, Operation>);

  function readBody(bytes: Buffer, operation: Operation): unknown {
    if (notation === 'json') return json(bytes);
    return xml(bytes, root => fromXml(root, operation) ?? bodyOfXml(root, operation.body));
  }

  function byKey(operations: ReadonlyMap<string, Operation>): ReadRequest {
    const noAction = (key?: string) =>
      front.complaints.noAction?.(key) ?? front.complaints.malformed(notation ?? 'json', undefined);
    if (raw === undefined || notation === undefined) throw noAction();
    if (notation === 'xml') {
      return xml(raw, root => {
        const operation = operations.get(root.name);
        if (!operation) throw noAction(root.name);
        const body = fromXml(root, operation) ?? valueOfXml(root, operation.body);
        return { operation, body: checked(body, operation) };
      });
    }
    const body = json(raw);
    const keys = body !== null && typeof body === 'object' && !Array.isArray(body) ? Object.keys(body) : [];
    const [key] = keys;
    if (keys.length !== 1 || key === undefined) {
      throw front.complaints.notKeyed?.(body) ?? front.complaints.malformed('json', body);
    }
    const operation = operations.get(key);
    if (!operation) throw noAction(key);
    return { operation, body: checked((body as Record<string, unknown>)[key], operation) };
  }

  function checked(value: unknown, operation: Operation): unknown {
    return front.body ? front.body(value, operation) : value;
  }

  function json(bytes: Buffer): unknown {
    try {
      return parseJson(bytes);
    } catch (error) {
      throw front.complaints.malformed('json', error);
    }
  }

  function fromXml(root: XmlElement, operation: Operation): unknown {
    return operation.readXml?.(root) ?? front.readXml?.(root, operation);
  }

  function xml<T>(bytes: Buffer, read: (root: XmlElement) => T): T {
    try {
      return read(parseXml(bytes));
    } catch (error) {
      if (isFault(error, 'MalformedXml')) throw front.complaints.malformed('xml', error);
      throw error;
    }
  }
}

/** What a form says, where the operation reads one. */
const formOf = (bytes: Buffer, { readForm }: Operation, request: FastifyRequest): unknown =>
  readForm !== undefined && mediaTypeOf(request) === FORM
    ? readForm(Object.fromEntries(new URLSearchParams(bytes.toString('utf8'))))
    : undefined;

function refuseMediaType(operation: Operation, request: FastifyRequest, front: AnyFront): void {
  const types = front.types?.(operation) ?? operation.types;
  const { mediaType } = front.complaints;
  if (!types || !mediaType) return;
  if (!types.includes(mediaTypeOf(request) ?? '')) throw mediaType(types, operation);
}

/** The media type of a request's body, without parameters. */
export const mediaTypeOf = (request: FastifyRequest): string | undefined =>
  request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();

/** One value of each name of a query. */
export function queryOf(request: FastifyRequest, repeated: 'first' | 'last'): Record<string, unknown> {
  const query = request.query as Record<string, string | string[]>;
  const out: Record<string, unknown> = {};
  for (const name of Object.keys(query)) {
    const value = must(query[name], 'name is in query');
    out[name] = typeof value === 'string' ? value : repeated === 'first' ? value[0] : value.at(-1);
  }
  return out;
}
