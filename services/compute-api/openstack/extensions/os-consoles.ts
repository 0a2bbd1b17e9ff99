import { ownText } from '@folsom/http/operation';
import Type from 'typebox';
import type { Extension } from '../http/api.ts';
import { operation } from '../http/operation.ts';

export const extension: Extension = {
  alias: 'os-consoles',
  name: 'Consoles',
  namespace: 'http://docs.openstack.org/compute/ext/os-consoles/api/v2',
  updated: '2011-12-23T00:00:00+00:00',
  description: 'Interactive Console support.',
  operations: [
    operation({
      name: 'GetVncConsole',
      about: "Where the server's screen can be seen for a while.",
      method: 'POST',
      path: '/servers/:id/action',
      key: 'os-getVNCConsole',
      policy: 'compute_extension:consoles',
      body: Type.Object({ type: Type.String({ maxLength: 32 }) }),
      answers: 200,
      faults: {
        InstanceNotReady: [409, 'Instance not yet ready'],
        ConsoleTypeInvalid: [400, ownText],
      },
      throws: ['InstanceNotFound'],
      run: async ({ domain, context, params, body: { type } }) => ({
        console: { type, url: await domain.servers.vncConsole(context, params.id, type) },
      }),
    }),
  ],
};
