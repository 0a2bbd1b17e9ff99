import type { Database } from '@folsom/db';
import { globalV6, type Ipv6Backend } from './ipv6.ts';

/** A guest's card with the address of IPv6 that it has in its network. */
export interface CardV6 {
  instance_uuid: string;
  ip: string;
}

/**
 * The IPv6 addresses of guests, of one project or (null) of all, that pass a test. None is stored, so every card in a network with a
 * block of IPv6 is looked at; one query.
 */
export async function cardsWithIpv6(
  db: Database,
  backend: Ipv6Backend,
  projectId: string | null,
  passes: (address: string) => boolean,
): Promise<CardV6[]> {
  let query = db
    .knex('virtual_interfaces as card')
    .join('networks as network', 'network.id', 'card.network_id')
    .where({ 'card.deleted': 0, 'network.deleted': 0 })
    .whereNotNull('card.instance_uuid')
    .whereNotNull('network.cidr_v6');
  if (projectId !== null)
    query = query
      .join('instances as server', 'server.uuid', 'card.instance_uuid')
      .where('server.project_id', projectId);
  const rows: { uuid: string; mac: string; cidr: string; project: string | null }[] = await query
    .orderBy('card.id')
    .select(
      'card.instance_uuid as uuid',
      'card.address as mac',
      'network.cidr_v6 as cidr',
      'network.project_id as project',
    );
  return rows.flatMap(({ uuid, mac, cidr, project }) => {
    const ip = globalV6(backend, cidr, mac, project);
    return passes(ip) ? [{ instance_uuid: uuid, ip }] : [];
  });
}
