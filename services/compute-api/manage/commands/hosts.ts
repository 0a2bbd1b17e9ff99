import { listServices } from '@folsom/nova/services';
import type { Command } from '../command.ts';
import { left } from '../python-text.ts';

export const hostCommands: Record<string, Command> = {
  list: {
    doc: 'Show all hosts, or those of a zone.\n        args: [zone]',
    flags: [],
    parameters: ['zone'],
    required: 0,
    run: async (context, { zone }) => {
      const services = await listServices((await context.db()).knex);
      const zoneOf = new Map<string, string>();
      for (const { host, availability_zone } of services) {
        if (zone !== undefined && zone !== '' && availability_zone !== zone) continue;
        if (!zoneOf.has(host)) zoneOf.set(host, availability_zone);
      }
      context.print(`${left('host', 25)}\t${left('zone', 15)}`);
      for (const [host, at] of zoneOf) context.print(`${left(host, 25)}\t${left(at, 15)}`);
    },
  },
};
