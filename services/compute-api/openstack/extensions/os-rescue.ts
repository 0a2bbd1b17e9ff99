import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { bare, operation, refusedStates } from '../http/operation.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const policy = 'compute_extension:rescue';

/** The password of the rescue system; anything but an object that has one gives a new one. */
const password = readBy((body): string | undefined => {
  if (!isObject(body) || !('adminPass' in body)) return undefined;
  const { adminPass } = body;
  if (typeof adminPass !== 'string' || adminPass.length > NAME_CHARS_MAX) {
    throw badRequest('Invalid adminPass');
  }
  return adminPass;
}, 'An object whose `adminPass` is the password wanted, or null.');

export const extension: Extension = {
  alias: 'os-rescue',
  name: 'Rescue',
  namespace: 'http://docs.openstack.org/compute/ext/rescue/api/v1.1',
  updated: '2011-08-18T00:00:00+00:00',
  description: 'Instance rescue mode',
  operations: [
    operation({
      name: 'RescueServer',
      about: 'Starts a rescue system beside the disk of a server.',
      method: 'POST',
      path: '/servers/:id/action',
      key: 'rescue',
      policy,
      body: password,
      answers: 200,
      faults: refusedStates('rescue'),
      throws: ['InstanceNotFound'],
      run: async ({ domain, context, params, body }) => ({
        adminPass: await domain.servers.rescue(context, params.id, body),
      }),
    }),
    operation({
      name: 'UnrescueServer',
      about: 'Ends the rescue system; the server starts from its own disk.',
      method: 'POST',
      path: '/servers/:id/action',
      key: 'unrescue',
      policy,
      answers: 202,
      faults: refusedStates('unrescue'),
      throws: ['InstanceNotFound'],
      run: async ({ domain, context, params }) => {
        await domain.servers.act(context, params.id, 'unrescue');
        return bare();
      },
    }),
  ],
};
