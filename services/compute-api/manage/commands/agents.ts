import { must } from '@folsom/core';
import type { Args, Command } from '../command.ts';
import { left, right } from '../python-text.ts';

const values = (args: Args) => ({
  version: must(args.version, 'version is there'),
  url: must(args.url, 'url is there'),
  md5hash: must(args.md5hash, 'md5hash is there'),
});
const triple = (args: Args) => ({
  hypervisor: args.hypervisor ?? 'xen',
  os: must(args.os, 'os is there'),
  architecture: must(args.architecture, 'architecture is there'),
});
const DETAILS = ['os', 'architecture', 'version', 'url', 'md5hash', 'hypervisor'];

export const agentCommands: Record<string, Command> = {
  create: {
    doc: 'Creates a new agent build.',
    flags: [],
    parameters: DETAILS,
    required: 5,
    run: async (context, args) => {
      const { agents } = await context.operator();
      await agents.create({ ...triple(args), ...values(args) });
    },
  },
  delete: {
    doc: 'Deletes an existing agent build.',
    flags: [],
    parameters: ['os', 'architecture', 'hypervisor'],
    required: 2,
    run: async (context, args) => {
      const { agents } = await context.operator();
      await agents.remove(triple(args));
    },
  },
  list: {
    doc: 'Lists all agent builds.\n        arguments: <none>',
    flags: [],
    parameters: ['hypervisor'],
    required: 0,
    run: async (context, { hypervisor }) => {
      const builds = await (await context.operator()).agents.list();
      const line = (cells: readonly unknown[]) =>
        context.print(
          `${left(cells[0], 10)}  ${left(cells[1], 8)}  ${right(cells[2], 12)}  ${String(cells[3] ?? 'None')}`,
        );
      for (const kind of new Set(builds.map(build => build.hypervisor))) {
        if (hypervisor !== undefined && kind !== hypervisor) continue;
        context.print(`Hypervisor: ${kind}`);
        line(['-'.repeat(10), '-'.repeat(8), '-'.repeat(12), '-'.repeat(32)]);
        for (const build of builds.filter(item => item.hypervisor === kind)) {
          line([build.os, build.architecture, build.version, build.md5hash]);
          context.print(`    ${build.url}`);
        }
        context.print();
      }
    },
  },
  modify: {
    doc: 'Update an existing agent build.',
    flags: [],
    parameters: DETAILS,
    required: 5,
    run: async (context, args) => {
      const { agents } = await context.operator();
      await agents.change(triple(args), values(args));
    },
  },
};
