import { elementsOf, inJson, one, view } from '@folsom/wire/view';
import type { TextConsole } from '../../domain/consoles.ts';
import type { ComputeOperation } from '../http/api.ts';
import { badRequest, notFound, notImplemented } from '../http/faults.ts';
import { operation } from '../http/operation.ts';

const shown = one(
  view<[TextConsole]>('console', {
    ...elementsOf<TextConsole>('id', 'port', 'host', 'password', 'console_type'),
    instance_name: inJson(({ instance_name }) => instance_name),
  }),
);

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
    view: shown,
    faults: { ConsoleNotFound: 404 },
    throws: ['InstanceNotFound'],
    run: async ({ domain, context, params }) =>
      shown.json(await domain.servers.textConsole(context, params.server_id, params.id)),
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
