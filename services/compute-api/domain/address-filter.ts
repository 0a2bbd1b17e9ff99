import type { Knex } from '@folsom/db';
import { ipv6Backend } from '@folsom/nova/ipv6';
import { cardsWithIpv6 } from '@folsom/nova/ipv6-cards';
import type { Deps } from './deps.ts';
import { matcherOf, matching } from './patterns.ts';

/** Addresses are compared from their beginning, where other texts are searched. */
const fromStart = (pattern: string): string => (pattern.startsWith('^') ? pattern : `^${pattern}`);

/**
 * Narrows a listing of instances to those that have an address: `fixed_ip` exactly, `ip` or `ip6` by expression, either of these where both
 * are given. @throws Fault `InvalidFilterExpression`
 */
export async function narrowToAddresses(
  { db, config }: Deps,
  rows: Knex.QueryBuilder,
  filters: ReadonlyMap<string, string>,
): Promise<void> {
  const [fixed, ip, ip6] = ['fixed_ip', 'ip', 'ip6'].map(name => filters.get(name));
  const v4 = fixed ?? ip;
  if (v4 === undefined && ip6 === undefined) return;
  const addresses = db
    .knex('fixed_ips')
    .where('deleted', 0)
    .whereNotNull('instance_uuid')
    .select('instance_uuid');
  if (fixed !== undefined) addresses.where('address', fixed);
  else if (ip !== undefined) matching(addresses, 'address', fromStart(ip));
  if (fixed !== undefined || ip6 === undefined) {
    rows.whereIn('uuid', addresses);
    return;
  }
  const project = filters.get('project_id') ?? null;
  const cards = await cardsWithIpv6(db, ipv6Backend(config.ipv6_backend), project, matcherOf(fromStart(ip6)));
  const uuids = cards.map(card => card.instance_uuid);
  rows.where(either => {
    either.whereIn('uuid', uuids);
    if (ip !== undefined) either.orWhereIn('uuid', addresses);
  });
}
