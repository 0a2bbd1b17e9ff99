import { Fault, must, secretsEqual } from '@folsom/core';
import type { Front, Operation, Problem } from '@folsom/http/operation';
import { identityBody, identityToXml } from '@folsom/wire/identity-xml';
import type { FastifyRequest } from 'fastify';
import type { TObject } from 'typebox';
import { fault, invalid, missing } from '../faults.ts';
import type { Caller, Port } from './caller.ts';
import type { Dependencies } from './dependencies.ts';
import { SELF_OR_ADMIN } from './operation.ts';
import { type Beforehand, beforehand, underscored } from './shapes.ts';
import { tokenOfPath } from './token-in-path.ts';

/** Asks for the exact time of issue in a validation; sent by our own services. */
const ISSUED_AT_HEADER = 'x-token-issued-at';

export const wantsXml = (request: FastifyRequest): boolean =>
  request.headers.accept?.includes('application/xml') === true;

// As bytes: fastify would add a charset, which the original's answers do not have, to JSON given as text.
const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');

/** Keystone's ways: where the caller's token stands, what is complained about first, and in which words. */
export function identityFront(options: {
  port: Port;
  prefix: string;
  domain: Dependencies;
  /** Empty: no such token. */
  adminToken: string;
}): Front<Dependencies, Caller> {
  const { port, domain, adminToken } = options;
  const { authorize } = domain;
  return {
    domain,
    prefixes: [options.prefix],
    port,
    context: request => {
      const { 'x-auth-token': given } = request.headers;
      const tokenId = typeof given === 'string' && given !== '' ? given : null;
      return {
        port,
        tokenId,
        bootstrap: tokenId !== null && adminToken !== '' && secretsEqual(tokenId, adminToken),
        tokenInPath: tokenOfPath(request.raw),
        token: null,
        wantsXml: wantsXml(request),
        wantsIssuedAt: request.headers[ISSUED_AT_HEADER] !== undefined,
        line: request,
      };
    },
    notation: contentType => {
      const type = contentType ?? '';
      if (type.includes('application/xml')) return 'xml';
      if (must(type.split(';', 1)[0], 'a split has a first part').trim().toLowerCase() === 'application/json')
        return 'json';
      throw missing('application/json', 'Content-Type header');
    },
    readXml: identityBody,
    body: topLevel,
    // The body comes before the caller's rights, as in the original.
    before: ({ body }, operation) => checkTopLevel(body as Fields, operation),
    authorize: async ({ context, params }, { policy, public: open }) => {
      if (open) return;
      if (policy === null) await authorize.bearer(context);
      else if (policy === SELF_OR_ADMIN) await authorize.selfOrAdmin(context, params.user_id);
      else await authorize.admin(context);
    },
    write: (reply, parts, _operation, request) => {
      reply.code(parts.status);
      if (parts.bytes !== undefined) {
        for (const [name, value] of Object.entries(parts.headers ?? {})) reply.header(name, value);
        return reply.header('content-type', parts.type).send(bytes(parts.bytes as string));
      }
      reply.header('vary', 'X-Auth-Token');
      const document = parts.document as Fields | undefined;
      if (document === undefined) return reply.send();
      return wantsXml(request)
        ? reply.header('content-type', 'application/xml').send(bytes(identityToXml(document)))
        : reply.header('content-type', 'application/json').send(bytes(JSON.stringify(document)));
    },
    complaints: {
      malformed: notation => missing(notation === 'json' ? 'valid JSON' : 'valid XML'),
      noBody: () => missing('a JSON object'),
      invalid: complaint,
      fault: (status, text, cause) => new Fault(cause.name, status, text ?? cause.message, { cause }),
    },
  };
}

type Fields = Record<string, unknown>;

/** The fields of a body. What Python takes for empty counts as no body: clients send `null` where they have nothing to say. */
function topLevel(sent: unknown, operation: Operation): Fields {
  if (sent === undefined || sent === null || sent === '' || sent === 0 || sent === false) return {};
  if (Array.isArray(sent) && sent.length === 0) return {};
  if (typeof sent !== 'object' || Array.isArray(sent)) throw missing('a JSON object');
  const shapes = objectsOf(operation);
  return Object.fromEntries(
    Object.entries(sent)
      .filter(([key]) => key !== 'self' && key !== 'context' && !key.startsWith('_'))
      .map(([key, value]) => [key, shapes[key]?.underscored && isObject(value) ? underscored(value) : value]),
  );
}

/** The objects that a body is made of must be there, and nothing beside them. */
function checkTopLevel(body: Fields, operation: Operation): void {
  if (operation.body === undefined) return;
  const { properties } = operation.body as TObject;
  for (const [field, shape] of Object.entries(objectsOf(operation))) {
    const value = body[field];
    if (value === undefined || value === null) throw missing(field);
    if (!isObject(value)) throw missing(`an object as ${field}`);
    beforehand(value, shape);
  }
  const unknown = Object.keys(body).find(field => !Object.hasOwn(properties, field));
  if (unknown !== undefined) throw unexpected('request body', unknown);
}

const objectsOf = ({ body }: Operation): Record<string, Beforehand> => {
  const { properties = {}, required = [] } = (body ?? {}) as {
    properties?: Record<string, Beforehand & { type?: string }>;
    required?: readonly string[];
  };
  return Object.fromEntries(
    Object.entries(properties).filter(([name, { type }]) => required.includes(name) && type === 'object'),
  );
};

const isObject = (value: unknown): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const unexpected = (where: string, field: string) =>
  invalid(`Unexpected attribute in ${where}: ${field.slice(0, 64)}`);

/** Keystone's words for a value that does not fit. */
function complaint({ path, keyword, text, shape, value }: Problem): Fault {
  const field = path.at(-1) ?? 'request body';
  const target = path.at(-2) ?? 'request body';
  if (text !== undefined) return invalid(text);
  if (keyword === 'additionalProperties') return unexpected(target, field);
  if (keyword === 'required') return missing(field, target);
  if (keyword === 'maxLength') {
    const { maxLength } = shape as { maxLength?: number };
    return fault('ValidationSizeError', { attribute: field, size: maxLength });
  }
  const { type } = shape as { type?: string };
  return missing(
    type === 'object' && !isObject(value) ? `an object as ${field}` : `text as ${field}`,
    target,
  );
}
