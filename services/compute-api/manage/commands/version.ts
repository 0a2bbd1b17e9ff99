import type { Command } from '../command.ts';

/** What scripts look for; the release whose behaviour this product has. */
export const VERSION_TEXT = '2012.2.4 (2012.2.4-LOCALBRANCH:LOCALREVISION)';

export const versionCommands: Record<string, Command> = {
  list: {
    doc: null,
    flags: [],
    parameters: [],
    required: 0,
    run: context => context.print(VERSION_TEXT),
  },
};
