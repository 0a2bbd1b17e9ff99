import { type Front, operationFor } from '@folsom/http/operation';
import type { Policy } from '@folsom/policy';
import type { FastifyRequest } from 'fastify';
import { HTML_TYPE, JSON_TYPE } from './answers.ts';
import type { ImageContext } from './context.ts';
import { httpFault, type ImageFaultName } from './faults.ts';
import type { ApiParts } from './parts.ts';
import { enforce } from './policy.ts';
import type { RegistryParts } from './registry/images.ts';
import type { V2Api } from './v2/parts.ts';

/** Who asks, and the request for what is no shape: headers that describe an image, streams both ways, absolute links. */
export interface ImageCaller {
  image: ImageContext;
  request: FastifyRequest;
}

/** Ways to declare operations of version 1, version 2 and the registry. */
export const v1Operation = operationFor<ApiParts, ImageCaller, ImageFaultName>();
export const v2Operation = operationFor<V2Api, ImageCaller, ImageFaultName>();
export const registryOperation = operationFor<RegistryParts, ImageCaller, ImageFaultName>();

/** What any operation may throw: the policy's word, and that the registry is away. */
const EVERYWHERE = ['PolicyNotAuthorized', 'ReadOnlyAccess', 'RegistryFailure'] as const;

/** Is told of a fault that came out of an operation which does not declare it. */
export type Undeclared = NonNullable<Front<unknown, ImageCaller>['undeclared']>;

/** Glance's ways, the same in all three. `policy` is null where nothing is asked of it. */
export function imageFront<Domain>(options: {
  domain: Domain;
  prefix: string;
  policy: Policy | null;
  types?: Front<Domain, ImageCaller>['types'];
  undeclared?: Undeclared | undefined;
}): Front<Domain, ImageCaller> {
  const { policy } = options;
  return {
    domain: options.domain,
    prefixes: [options.prefix],
    ...(options.types ? { types: options.types } : {}),
    ...(options.undeclared ? { undeclared: options.undeclared } : {}),
    throws: EVERYWHERE,
    context: request => ({ image: request.image, request }),
    // Whatever its Content-Type says.
    notation: () => 'json',
    authorize: ({ context }, operation) => {
      if (policy && operation.policy !== null) enforce(policy, context.image, operation.policy);
    },
    write: (reply, { status, headers, document, bytes, type, send }, _operation, request) => {
      reply.code(status);
      for (const [name, value] of Object.entries(headers ?? {})) reply.header(name, value);
      if (send) return send(reply, request);
      if (bytes !== undefined) return reply.header('content-type', type ?? JSON_TYPE).send(bytes);
      if (document === undefined) {
        return reply
          .header('content-type', type ?? HTML_TYPE)
          .header('content-length', '0')
          .send();
      }
      // As bytes: to a text the framework would add a charset, which some of Folsom's answers do not have.
      return reply.header('content-type', type ?? JSON_TYPE).send(Buffer.from(JSON.stringify(document)));
    },
    complaints: {
      mediaType: (types, { method }) =>
        httpFault(415, method === 'PATCH' ? { headers: { 'Accept-Patch': types.join(', ') } } : {}),
      malformed: () => httpFault(400, { explanation: 'Malformed JSON in request body.' }),
      noBody: () => httpFault(400, { explanation: 'Body expected in request.' }),
      invalid: ({ place, path, text }) =>
        place === 'params'
          ? httpFault(404)
          : httpFault(400, { explanation: text ?? `Invalid value for ${path.join('.').slice(0, 255)}.` }),
      fault: (status, text) => httpFault(status, text === undefined ? {} : { explanation: text }),
    },
  };
}
