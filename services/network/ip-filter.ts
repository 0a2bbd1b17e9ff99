import { Fault, must } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { Ipv6Backend } from '@folsom/nova/ipv6';
import { type CardV6, cardsWithIpv6 } from '@folsom/nova/ipv6-cards';

/** An address of an instance, and the floating one that leads to it. */
interface Found {
  id: number;
  address: string;
  uuid: string;
  floating: string | null;
}

/** Longest expression taken; it is matched against short addresses only. */
const PATTERN_CHARS_MAX = 255;

/** Addresses of a page of the search; one query each. */
const PAGE = 2000;

/**
 * Instances by address: `fixed_ip` exactly, `ip` by expression at the start of fixed or floating addresses, `ip6` so at that of IPv6.
 * One joined query a page, not one a card.
 */
export async function uuidsByIpFilter(
  { db, ipv6 }: { db: Database; ipv6: Ipv6Backend },
  filters: Record<string, string>,
): Promise<CardV6[]> {
  const v6 = filters.ip6 === undefined ? undefined : expression(filters.ip6);
  const found = v6 === undefined ? [] : await cardsWithIpv6(db, ipv6, null, address => v6.test(address));
  if (v6 !== undefined && filters.fixed_ip === undefined && filters.ip === undefined) return found;
  return [...found, ...(await uuidsByIpv4(db, filters))];
}

async function uuidsByIpv4(db: Database, filters: Record<string, string>): Promise<CardV6[]> {
  const exact = filters.fixed_ip;
  const pattern = filters.ip === undefined ? undefined : expression(filters.ip);
  const found: CardV6[] = [];
  for (let after = 0; ; ) {
    let query = db
      .knex('fixed_ips')
      .leftJoin('floating_ips', join => {
        join.on('floating_ips.fixed_ip_id', 'fixed_ips.id').andOnVal('floating_ips.deleted', 0);
      })
      .where('fixed_ips.deleted', 0)
      .where('fixed_ips.allocated', 1)
      .whereNotNull('fixed_ips.instance_uuid')
      .whereNotNull('fixed_ips.virtual_interface_id')
      .where('fixed_ips.id', '>', after)
      .orderBy('fixed_ips.id')
      .limit(PAGE);
    if (exact !== undefined && pattern === undefined) query = query.where('fixed_ips.address', exact);
    const rows = await query.select<Found[]>(
      'fixed_ips.id as id',
      'fixed_ips.address as address',
      'fixed_ips.instance_uuid as uuid',
      'floating_ips.address as floating',
    );
    for (const row of rows) {
      if (row.address === exact || pattern?.test(row.address)) {
        found.push({ instance_uuid: row.uuid, ip: row.address });
      } else if (row.floating !== null && pattern?.test(row.floating)) {
        found.push({ instance_uuid: row.uuid, ip: row.floating });
      }
    }
    if (rows.length < PAGE) return found;
    after = must(rows[rows.length - 1], 'rows is not empty').id;
  }
}

/** Python's `re.match`: anchored at the start. Constructs that could run for ever are refused. */
function expression(text: string): RegExp {
  const refused = (): Fault =>
    new Fault('InvalidInput', 400, `Invalid input received: ${text.slice(0, 100)}`);
  if (text.length > PATTERN_CHARS_MAX || /[+*}]\)?[+*{]|\)[+*{]|\\\d/.test(text)) throw refused();
  try {
    return new RegExp(`^(?:${text})`);
  } catch {
    throw refused();
  }
}
