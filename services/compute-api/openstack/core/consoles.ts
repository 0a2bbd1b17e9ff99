import type { ComputeOperation } from '../http/api.ts';
import { badRequest, notFound, notImplemented } from '../http/faults.ts';
import { operation } from '../http/operation.ts';

const text = (tag: string) => ({ tag, at: tag, text: '' });

const path = '/servers/:server_id/consoles';

/** Text consoles of the Xen world: the machinery behind them is not part of this product, so nothing makes new ones. */
export const consoleOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListConsoles',
    about: 'Text consoles of a server.',
    method: 'GET',
    path,
    policy: null,
    answers: 200,
    throws: ['InstanceNotFound'],
    run: async ({ domain, context, params }) => {
      const consoles = await domain.servers.textConsoles(context, params.server_id);
      return { consoles: consoles.map(({ id, console_type }) => ({ console: { id, console_type } })) };
    },
  }),
  operation({
    name: 'ShowConsole',
    about: 'A text console of a server.',
    method: 'GET',
    path: `${path}/:id`,
    policy: null,
    answers: 200,
    view: {
      xml: {
        tag: 'console',
        at: 'console',
        children: ['id', 'port', 'host', 'password', 'console_type'].map(text),
      },
    },
    faults: { ConsoleNotFound: 404 },
    throws: ['InstanceNotFound'],
    run: async ({ domain, context, params }) => {
      const found = await domain.servers.textConsole(context, params.server_id, params.id);
      const { id, console_type, password, instance_name, port, host } = found;
      return { console: { id, console_type, password, instance_name, port, host } };
    },
  }),
  operation({
    name: 'CreateConsole',
    about: 'Refused: nothing makes text consoles.',
    method: 'POST',
    path,
    policy: null,
    answers: 400,
    run: () => {
      throw badRequest();
    },
  }),
  operation({
    name: 'UpdateConsole',
    about: 'Not implemented in the original either.',
    method: 'PUT',
    path: `${path}/:id`,
    policy: null,
    answers: 501,
    bodyRequired: true,
    run: () => {
      throw notImplemented();
    },
  }),
  operation({
    name: 'DeleteConsole',
    about: 'Nothing is there: text consoles are not made.',
    method: 'DELETE',
    path: `${path}/:id`,
    policy: null,
    answers: 404,
    run: () => {
      throw notFound();
    },
  }),
];
