import { isFault, must } from '@folsom/core';
import { createFloatingIps, deleteFloatingIps, listFloatingIps } from '@folsom/nova/floating-ip-blocks';
import { addressAt, parseCidr, parseIpv4 } from '@folsom/nova/ipv4';
import { novaOptions } from '@folsom/nova/options';
import { type Command, Exit } from '../command.ts';
import { shown } from '../python-text.ts';

const RANGE = { name: '--ip_range', metavar: '<range>', help: 'IP range' };
/** Largest block taken at once: every address becomes a row. */
const ADDRESSES_MAX = 65_536;

/** One address, or the hosts of a block: all but its first and last address. */
export function addressesIn(range: string): string[] {
  if (parseIpv4(range) !== undefined) return [range];
  let block: ReturnType<typeof parseCidr>;
  try {
    block = parseCidr(range);
  } catch {
    throw new Error(`invalid IPNetwork ${range}`);
  }
  if (block.size < 4) {
    throw new Error(
      `Invalid input received: /${block.prefix} should be specified as single address(es) not in cidr format`,
    );
  }
  if (block.size > ADDRESSES_MAX) {
    throw new Error(`Invalid input received: more than ${ADDRESSES_MAX} addresses at once`);
  }
  return Array.from({ length: block.size - 2 }, (_none, index) => addressAt(block, index + 1));
}

export const floatingIpCommands: Record<string, Command> = {
  address_to_hosts: {
    doc: 'Show the addresses a range stands for.',
    flags: [],
    parameters: ['addresses'],
    required: 1,
    run: (_context, { addresses }) => void addressesIn(must(addresses, 'addresses is there')),
  },
  create: {
    doc: 'Creates floating ips for zone by range',
    flags: [
      RANGE,
      { name: '--pool', metavar: '<pool>', help: 'Optional pool' },
      { name: '--interface', metavar: '<interface>', help: 'Optional interface' },
    ],
    parameters: ['ip_range', 'pool', 'interface'],
    required: 1,
    run: async (context, args) => {
      const options = context.config.of(novaOptions);
      const pool = args.pool || options.default_floating_pool;
      const nic = args.interface || options.public_interface;
      const addresses = addressesIn(must(args.ip_range, 'ip_range is there'));
      const db = await context.db();
      try {
        await createFloatingIps(db, { addresses, pool, interface: nic }, context.clock.now());
      } catch (error) {
        if (!isFault(error, 'FloatingIpExists')) throw error;
        context.print(`error: ${error.message}`);
        throw new Exit(1);
      }
    },
  },
  delete: {
    doc: 'Deletes floating ips by range',
    flags: [RANGE],
    parameters: ['ip_range'],
    required: 1,
    run: async (context, args) => {
      const addresses = addressesIn(must(args.ip_range, 'ip_range is there'));
      await deleteFloatingIps(await context.db(), addresses, context.clock.now());
    },
  },
  list: {
    doc: 'Lists all floating ips (optionally by host)\n        Note: if host is given, only active floating IPs are returned',
    flags: [{ name: '--host', metavar: '<host>', help: 'Host' }],
    parameters: ['host'],
    required: 0,
    run: async (context, { host }) => {
      const found = await listFloatingIps(await context.db(), host);
      if (found.length === 0) {
        if (host !== undefined) throw new Error(`Floating ip not found for host ${host}.`);
        context.print('No floating IP addresses have been defined.');
      }
      for (const item of found) {
        const cells = [item.project_id, item.address, item.instance_uuid, item.pool, item.interface];
        context.print(cells.map(shown).join('\t'));
      }
    },
  },
};
