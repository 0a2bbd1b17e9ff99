import { LOG_LEVELS } from '@folsom/core';
import { type Command, Option } from 'commander';
import { type Done, layoutAt, print, stateDir, type Where } from './command-line.ts';
import * as commands from './commands.ts';
import { type LogsOptions, logs } from './logs.ts';

/** `folsom logs`, `folsom env` and `folsom trace`. */
export function addWatching(program: Command, done: Done): void {
  program
    .command('logs')
    .description('the log of all services, one JSON object a line')
    .addOption(stateDir())
    .option('-f, --follow', 'go on as it grows', false)
    .option('--request <id>', 'only what carries this request id')
    .option('--tenant <id>', 'only what was done for this tenant')
    .option('--service <name>', 'only this service')
    .addOption(new Option('--level <level>', 'only this level and what is graver').choices(LOG_LEVELS))
    .action(async (options: Where & LogsOptions) => {
      done(await logs(layoutAt(options), options));
    });

  program
    .command('env')
    .description('variables for the command lines, to be evaluated by a shell')
    .argument('[who]', 'admin or demo', 'admin')
    .addOption(stateDir())
    .action(async (who: string, options: Where) => {
      if (who !== 'admin' && who !== 'demo')
        throw new Error(`there are variables for admin and demo, not for ${who}`);
      done(await commands.env(layoutAt(options), who, print));
    });

  program
    .command('trace')
    .description('the way of one request through the services, with times')
    .argument('<request-id>', 'req-... as an answer or the log gives it')
    .addOption(stateDir())
    .action(async (requestId: string, options: Where) => {
      done(await commands.printTrace(layoutAt(options), requestId, print));
    });
}
