import { must } from '@folsom/core';
import { updateNetwork } from '@folsom/nova/networks';
import { networksOfProject, takeNetworkForProject } from '@folsom/nova/project-networks';
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
      const values = {
        vpn_public_address: must(ip, 'ip is there'),
        vpn_public_port: wholeNumber(must(port, 'port is there')),
      };
      const db = await context.db();
      const now = context.clock.now();
      const own = await networksOfProject(db, must(project_id, 'project_id is there'));
      // A project without a network is given a free one, as at its first server.
      const networks =
        own.length > 0
          ? own
          : [await takeNetworkForProject(db, must(project_id, 'project_id is there'), now)];
      for (const { id } of networks) await updateNetwork(db, id, values, now);
    },
  },
};
