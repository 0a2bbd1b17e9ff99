import { type Fault, must } from '@folsom/core';
import { sendText } from '@folsom/http';
import type { Front } from '@folsom/http/operation';
import { genericBody, genericValue, genericXml, renderXml, type XmlTemplate } from '@folsom/wire/nova-xml';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Domain } from '../../domain/index.ts';
import { type AnswerFormat, answerFormat, bodyFormat, type Format } from './accept.ts';
import type { Api, Caller } from './api.ts';
import { callerOf } from './caller.ts';
import { badRequest, httpFault, notFound } from './faults.ts';
import { EVERYWHERE } from './statuses.ts';

/** How declared operations become the API: every mount, suffixes, XML by templates or generic rules, Folsom's words. */
export const computeFront = (api: Api): Front<Domain, Caller> => ({
  domain: api.domain,
  prefixes: api.mounts.map(mount => `/${mount}/:project_id`),
  // An id carries its suffix with it; a fixed ending needs its twins.
  spellings: path =>
    path.slice(path.lastIndexOf('/') + 1).startsWith(':') ? [path] : [path, `${path}.json`, `${path}.xml`],
  context: request => callerOf(request, api),
  params: paramsOf,
  notation: bodyFormat,
  readXml: (root, operation) => (operation.key === undefined ? genericBody(root) : genericValue(root)),
  before: ({ context }) => {
    if (context.tenant !== context.projectId) throw badRequest('Malformed request url');
  },
  authorize: ({ context }, { policy }) => {
    if (policy !== null) api.domain.policy.authorize(context, policy);
  },
  write: (reply, parts, operation, request) => {
    reply.code(parts.status).header('x-compute-request-id', request.requestId);
    for (const [name, value] of Object.entries(parts.headers ?? {})) reply.header(name, value);
    const as = answerFormat(request.url, request.headers.accept);
    if (parts.document === undefined) {
      reply.header('content-type', parts.type ?? as.type);
      return reply.send(parts.status === 204 ? undefined : bytesOf(parts.bytes));
    }
    const template = (parts.xml ?? operation.view?.xml) as XmlTemplate | undefined;
    return writeDocument(reply, parts.document as Record<string, unknown>, template, as);
  },
  complaints: {
    malformed: () => badRequest('Malformed request body'),
    noBody: () => badRequest(),
    noAction: key => badRequest(`There is no such action: ${key?.slice(0, 255) ?? 'None'}`),
    notKeyed,
    invalid: ({ place, text }) => (place === 'params' ? notFound() : badRequest(text)),
    fault: (status, text) => httpFault(status, text),
  },
  throws: EVERYWHERE,
});

const bytesOf = (bytes: unknown): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from((bytes as string | undefined) ?? '');

/** The original counted the keys of whatever was there: what has one element and no keys, or cannot be counted, was no path of its own. */
const notKeyed = (body: unknown): Fault => {
  const countable = typeof body === 'string' || (typeof body === 'object' && body !== null);
  const count =
    typeof body === 'string' ? [...body].length : countable ? Object.keys(body as object).length : 1;
  return count === 1 ? notFound() : badRequest('Malformed request body');
};

/** Parameters of the path without the answer's suffix. */
function paramsOf(request: FastifyRequest): Record<string, string> {
  const { project_id: _tenant, ...params } = request.params as Record<string, string>;
  const last = Object.keys(params).at(-1);
  if (last !== undefined) {
    const path = must(request.url.split('?', 1)[0], 'a split has a first part');
    const value = must(params[last], 'last is in params');
    if (path.endsWith(encodeURIComponent(value)) || path.endsWith(value)) {
      params[last] = value.replace(/\.(json|xml)$/, '');
    }
  }
  return params;
}

/** Writes a document in the notation asked for. */
export function writeDocument(
  reply: FastifyReply,
  document: Record<string, unknown>,
  template: XmlTemplate | undefined,
  as: AnswerFormat,
): FastifyReply {
  return sendText(reply.header('content-type', as.type), textOf(document, template, as.format));
}

function textOf(
  document: Record<string, unknown>,
  template: XmlTemplate | undefined,
  format: Format,
): string {
  if (format === 'json') return JSON.stringify(document);
  return template ? renderXml(template, document) : genericXml(document);
}
