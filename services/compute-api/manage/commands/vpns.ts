import { must } from '@folsom/core';
import { type Command, wholeNumber } from '../command.ts';

export const vpnCommands: Record<string, Command> = {
  change: {
    doc: "Change the address and port of the vpn on all of a project's networks.",
    flags: [
      { name: '--project', dest: 'project_id', metavar: '<Project name>', help: 'Project name' },
      { name: '--ip', metavar: '<IP Address>', help: 'IP Address' },
      { name: '--port', metavar: '<Port>', help: 'Port' },
    ],
    parameters: ['project_id', 'ip', 'port'],
    required: 3,
    run: async (context, { project_id, ip, port }) => {
      const vpn = { address: must(ip, 'ip is there'), port: wholeNumber(must(port, 'port is there')) };
      const { networks } = await context.operator();
      await networks.setVpn(must(project_id, 'project_id is there'), vpn);
    },
  },
};
