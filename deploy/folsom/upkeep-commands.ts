import { resolve } from 'node:path';
import { systemClock } from '@folsom/core';
import type { Command } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { type Done, hostIp, layoutAt, portsOffset, print, stateDir, type Where } from './command-line.ts';
import * as commands from './commands.ts';
import { listConfig } from './config-command.ts';

/** `folsom upgrade-check` and `folsom support-bundle`. */
export function addUpkeepCommands(program: Command, done: Done): void {
  program
    .command('upgrade-check')
    .description('what the next start does to the state directory of an older version; changes nothing')
    .addOption(stateDir())
    .action(async (options: Where) => {
      const { upgradeCheck } = await import('./upgrade-check.ts');
      done(await upgradeCheck(layoutAt(options), print));
    });

  program
    .command('support-bundle')
    .description('packs versions, states, configuration, the end of the log and the host, without secrets')
    .argument('[file]', 'what to write', 'folsom-support.tar.gz')
    .addOption(stateDir())
    .addOption(hostIp())
    .addOption(portsOffset())
    .action(async (file: string, options: Where & { hostIp: string; portsOffset: number }) => {
      const { supportBundle } = await import('./support-bundle.ts');
      const { upgradeCheck } = await import('./upgrade-check.ts');
      const layout = layoutAt(options);
      const { hostIp, portsOffset } = options;
      const examined = { hostIp, portsOffset, files: [], now: systemClock.now };
      const printed = {
        'status.txt': (to: commands.Print) => commands.status(layout, to),
        'doctor.txt': (to: commands.Print) => commands.doctor(layout.dir, examined, to),
        'config.txt': (to: commands.Print) => listConfig(layout, { service: undefined, changed: true }, to),
        'upgrade-check.txt': (to: commands.Print) => upgradeCheck(layout, to),
      };
      const reports = { version: manifest.version, now: systemClock.now(), printed };
      done(await supportBundle(layout, resolve(file), reports, print));
    });
}
