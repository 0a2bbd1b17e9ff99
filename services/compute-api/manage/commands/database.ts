import type { Command } from '../command.ts';

export const databaseCommands: Record<string, Command> = {
  sync: {
    doc: 'Bring the database to a version, the newest by default.',
    flags: [{ name: '--version', metavar: '<version>', help: 'Database version' }],
    parameters: ['version'],
    required: 0,
    run: async (context, args) => {
      const version = args.version === undefined ? undefined : Number(args.version);
      if (version !== undefined && !Number.isInteger(version))
        throw new Error('version should be an integer');
      await context.syncSchema(version);
    },
  },
  version: {
    doc: 'Print the version the database is at.',
    flags: [],
    parameters: [],
    required: 0,
    run: async context => context.print(String(await context.schemaVersion())),
  },
};
