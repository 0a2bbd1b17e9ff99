import { RELEASE } from '@folsom/config';
import type { Command } from '../command.ts';

/** As a plain checkout of the original has it. */
export const VERSION_TEXT = `${RELEASE} (${RELEASE}-LOCALBRANCH:LOCALREVISION)`;

export const versionCommands: Record<string, Command> = {
  list: {
    doc: null,
    flags: [],
    parameters: [],
    required: 0,
    run: context => context.print(VERSION_TEXT),
  },
};
