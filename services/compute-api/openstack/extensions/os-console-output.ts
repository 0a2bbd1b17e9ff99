import { integer } from '../../domain/values.ts';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** How many lines from the end; null for all. */
const length = readBy((body): number | null => {
  if (body !== null && typeof body !== 'object' && body !== '') {
    throw badRequest('os-getConsoleOutput malformed or missing from request body');
  }
  const given = isObject(body) ? (body.length ?? null) : null;
  if (given === null || given === '') return null;
  const lines = integer(given);
  if (lines === undefined) throw badRequest('Length in request body must be an integer value');
  return lines;
}, 'An object whose `length` says how many lines from the end; null or nothing in it for all.');

export const extension: Extension = {
  alias: 'os-console-output',
  name: 'ConsoleOutput',
  namespace: 'http://docs.openstack.org/compute/ext/os-console-output/api/v2',
  updated: '2011-12-08T00:00:00+00:00',
  description: 'Console log output support, with tailing ability.',
  operations: [
    operation({
      name: 'GetConsoleOutput',
      about: 'What the guest has written to its console.',
      method: 'POST',
      path: '/servers/:id/action',
      key: 'os-getConsoleOutput',
      policy: 'compute_extension:console_output',
      body: length,
      beforeBody: ({ domain, context, params }) => domain.servers.show(context, params.id),
      answers: 200,
      faults: {
        InstanceNotFound: [404, 'Instance not found'],
        InstanceNotReady: [404, 'Unable to get console'],
      },
      run: async ({ domain, context, params, body }) => {
        const output = await domain.servers.consoleOutput(context, params.id, body);
        // What XML 1.0 cannot carry would break old clients' parsers.
        return { output: output.replace(NOT_XML, '') };
      },
    }),
  ],
};
