import { getInstance } from '../../domain/instances.ts';
import { ok } from '../http/answer.ts';
import { badRequest, notFound, notImplemented } from '../http/faults.ts';
import { type ApiRequest, param, rowId } from '../http/request.ts';
import type { Resource } from '../http/resource.ts';

interface ConsoleRow {
  id: number;
  console_type: string;
  password: string | null;
  instance_name: string | null;
  port: number | null;
  host: string | null;
}

/** Consoles that a nova-console proxy keeps for the server, which is the caller's own. */
async function consolesOf(api: ApiRequest): Promise<ConsoleRow[]> {
  const server = await getInstance(api.deps, api.context, param(api, 'server_id'));
  return (await api.deps.db
    .knex('consoles as c')
    .join('console_pools as p', 'p.id', 'c.pool_id')
    .where({ 'c.deleted': 0, 'c.instance_uuid': server.uuid })
    .orderBy('c.id')
    .select('c.*', 'p.console_type as console_type', 'p.public_hostname as host')) as ConsoleRow[];
}

const text = (tag: string) => ({ tag, at: tag, text: '' });

/** Text consoles of the Xen world: the machinery behind them is not part of this product, so nothing makes new ones. */
export const serverConsoles: Resource = {
  path: 'servers/:server_id/consoles',
  index: {
    handle: async api => {
      const consoles = await consolesOf(api);
      return ok({ consoles: consoles.map(({ id, console_type }) => ({ console: { id, console_type } })) });
    },
  },
  show: {
    xml: {
      tag: 'console',
      at: 'console',
      children: ['id', 'port', 'host', 'password', 'console_type'].map(text),
    },
    handle: async api => {
      const id = rowId(param(api, 'id'));
      const found = (await consolesOf(api)).find(item => item.id === id);
      if (!found) throw notFound();
      const { console_type, password, instance_name, port, host } = found;
      return ok({ console: { id, console_type, password, instance_name, port, host } });
    },
  },
  create: {
    body: false,
    handle: () => {
      throw badRequest();
    },
  },
  update: {
    handle: () => {
      throw notImplemented();
    },
  },
  delete: {
    handle: () => {
      throw notFound();
    },
  },
};
