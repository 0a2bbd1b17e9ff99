import { isFault, must } from '@folsom/core';
import { addressesIn } from '../../domain/operator/index.ts';
import { type Command, Exit } from '../command.ts';
import { shown } from '../python-text.ts';

const RANGE = { name: '--ip_range', metavar: '<range>', help: 'IP range' };

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
      const addresses = addressesIn(must(args.ip_range, 'ip_range is there'));
      const { floatingIps } = await context.operator();
      try {
        await floatingIps.create(addresses, { pool: args.pool, nic: args.interface });
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
      const { floatingIps } = await context.operator();
      await floatingIps.remove(addresses);
    },
  },
  list: {
    doc: 'Lists all floating ips (optionally by host)\n        Note: if host is given, only active floating IPs are returned',
    flags: [{ name: '--host', metavar: '<host>', help: 'Host' }],
    parameters: ['host'],
    required: 0,
    run: async (context, { host }) => {
      const { floatingIps } = await context.operator();
      const found = await floatingIps.list(host);
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
