import type { Command } from 'commander';
import { type Done, layoutAt, print, stateDir, type Where } from './command-line.ts';
import { getConfig, listConfig, setConfig } from './config-command.ts';

/** `folsom config`. */
export function addConfigCommands(program: Command, done: Done): void {
  const config = program
    .command('config')
    .description('options of the services; changes count at the next start');
  config
    .command('list', { isDefault: true })
    .description('every option with its value and where it comes from')
    .argument('[service]', 'keystone, glance or nova')
    .addOption(stateDir())
    .option('--changed', "only those that are not Folsom's defaults", false)
    .action(async (service: string | undefined, options: Where & { changed: boolean }) => {
      done(await listConfig(layoutAt(options), { service, changed: options.changed }, print));
    });
  config
    .command('get')
    .description('the value of one option')
    .argument('<option>', 'SERVICE.OPTION or SERVICE.SECTION.OPTION')
    .addOption(stateDir())
    .action(async (name: string, options: Where) => {
      done(await getConfig(layoutAt(options), name, print));
    });
  config
    .command('set')
    .description("writes an option into the service's file in etc of the state directory")
    .argument('<option>', 'SERVICE.OPTION or SERVICE.SECTION.OPTION')
    .argument('<value>')
    .addOption(stateDir())
    .action(async (name: string, value: string, options: Where) => {
      done(await setConfig(layoutAt(options), name, value, print));
    });
  config
    .command('unset')
    .description('takes an option out of that file: its default counts again')
    .argument('<option>', 'SERVICE.OPTION or SERVICE.SECTION.OPTION')
    .addOption(stateDir())
    .action(async (name: string, options: Where) => {
      done(await setConfig(layoutAt(options), name, undefined, print));
    });
}
