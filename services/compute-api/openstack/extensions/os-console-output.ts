import { consoleOutput } from '../../domain/guest-output.ts';
import { getInstance } from '../../domain/instances.ts';
import { actionBody } from '../core/server-actions.ts';
import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { integer, isObject, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/os-console-output/api/v2';

const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

export const extension: Extension = {
  alias: 'os-console-output',
  name: 'ConsoleOutput',
  namespace: NAMESPACE,
  updated: '2011-12-08T00:00:00+00:00',
  description: 'Console log output support, with tailing ability.',
  actions: {
    servers: {
      'os-getConsoleOutput': {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'console_output');
          const instance = await translating({ InstanceNotFound: () => notFound('Instance not found') }, () =>
            getInstance(api.deps, api.context, param(api, 'id')),
          );
          const body = actionBody(api, 'os-getConsoleOutput');
          if (body !== null && typeof body !== 'object' && body !== '') {
            throw badRequest('os-getConsoleOutput malformed or missing from request body');
          }
          const length = isObject(body) ? (body.length ?? null) : null;
          const lines = length === null || length === '' ? null : integer(length);
          if (lines === undefined) throw badRequest('Length in request body must be an integer value');
          const output = await translating(
            {
              InstanceNotFound: () => notFound('Unable to get console'),
              InstanceNotReady: () => notFound('Unable to get console'),
            },
            () => consoleOutput(api.deps, api.context, instance, lines),
          );
          // What XML 1.0 cannot carry would break old clients' parsers.
          return ok({ output: output.replace(NOT_XML, '') });
        },
      },
    },
  },
};
