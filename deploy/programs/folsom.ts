import { RELEASE } from '@folsom/config';
import { Command } from 'commander';
import { addBackupCommands } from '../folsom/backup-commands.ts';
import { addDoctor, addDownAndStatus, addUp } from '../folsom/cloud-commands.ts';
import type { Done } from '../folsom/command-line.ts';
import { addConfigCommands } from '../folsom/config-commands.ts';
import { addPopulate } from '../folsom/populate-command.ts';
import { addUpkeepCommands } from '../folsom/upkeep-commands.ts';
import { addWatching } from '../folsom/watch-commands.ts';
import manifest from '../package.json' with { type: 'json' };

/** The project's own program: brings a whole cloud up on this machine and looks after it. */
export async function main(argv: string[]): Promise<number> {
  let code = 0;
  const done: Done = result => {
    code = result;
  };
  const program = new Command('folsom')
    .description('A complete OpenStack Folsom cloud on this machine.')
    .showHelpAfterError('See "folsom --help".')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'folsom: ')) })
    .version(`${manifest.version} (OpenStack ${RELEASE})`, '--version', 'which Folsom this is')
    .enablePositionalOptions();
  // In the order of --help.
  addUp(program, done);
  addDownAndStatus(program, done);
  addWatching(program, done);
  addPopulate(program);
  addConfigCommands(program, done);
  addBackupCommands(program, done);
  addUpkeepCommands(program, done);
  addDoctor(program, done);

  // Commander would hand a misspelt command to `up`, which is the default.
  const [first] = argv;
  const known = ['help', ...program.commands.map(command => command.name())];
  if (first !== undefined && !first.startsWith('-') && !known.includes(first))
    program.error(`folsom: there is no command ${first}; there are ${known.slice(1).join(', ')}`);
  await program.parseAsync(argv, { from: 'user' });
  return code;
}
