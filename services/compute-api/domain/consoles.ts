import type { RequestContext } from '@folsom/core';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { getInstance } from './instances.ts';
import { rowId } from './values.ts';

/** A text console that a nova-console proxy keeps for a server. */
export interface TextConsole {
  id: number;
  console_type: string;
  password: string | null;
  instance_name: string | null;
  port: number | null;
  host: string | null;
}

/** @throws Fault `InstanceNotFound` */
export async function textConsoles(
  deps: Deps,
  context: RequestContext,
  serverId: string,
): Promise<TextConsole[]> {
  const server = await getInstance(deps, context, serverId);
  return (await deps.db
    .knex('consoles as c')
    .join('console_pools as p', 'p.id', 'c.pool_id')
    .where({ 'c.deleted': 0, 'c.instance_uuid': server.uuid })
    .orderBy('c.id')
    .select('c.*', 'p.console_type as console_type', 'p.public_hostname as host')) as TextConsole[];
}

/** @throws Fault `InstanceNotFound`, `ConsoleNotFound` */
export async function getTextConsole(
  deps: Deps,
  context: RequestContext,
  serverId: string,
  id: string,
): Promise<TextConsole> {
  const row = rowId(id);
  const found = (await textConsoles(deps, context, serverId)).find(item => item.id === row);
  if (!found) throw computeFault('ConsoleNotFound', { console_id: id });
  return found;
}
