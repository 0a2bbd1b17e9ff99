import type { Command } from '../command.ts';
import { left } from '../python-text.ts';

export const hostCommands: Record<string, Command> = {
  list: {
    doc: 'Show all hosts, or those of a zone.\n        args: [zone]',
    flags: [],
    parameters: ['zone'],
    required: 0,
    run: async (context, { zone }) => {
      const { services } = await context.operator();
      const zoneOf = await services.hosts(zone);
      context.print(`${left('host', 25)}\t${left('zone', 15)}`);
      for (const [host, at] of zoneOf) context.print(`${left(host, 25)}\t${left(at, 15)}`);
    },
  },
};
