import { resolve } from 'node:path';
import { systemClock } from '@folsom/core';
import type { Command } from 'commander';
import { type Done, layoutAt, print, stateDir, type Where } from './command-line.ts';

/** `folsom backup` and `folsom restore`. */
export function addBackupCommands(program: Command, done: Done): void {
  program
    .command('backup')
    .description(
      'copies databases, images, volumes, objects, keys and configuration; the cloud may go on running',
    )
    .argument('<directory>', 'where to; made, or empty')
    .addOption(stateDir())
    .option('--disks', 'the disks of guests, too, each paused meanwhile', false)
    .action(async (target: string, options: Where & { disks: boolean }) => {
      const { backup } = await import('./backup.ts');
      done(
        await backup(
          layoutAt(options),
          resolve(target),
          { disks: options.disks, now: systemClock.now() },
          print,
        ),
      );
    });

  program
    .command('restore')
    .description('makes a state directory of a backup')
    .argument('<directory>', 'the backup')
    .addOption(stateDir())
    .action(async (source: string, options: Where) => {
      const { restore } = await import('./backup.ts');
      done(await restore(resolve(source), layoutAt(options), print));
    });
}
