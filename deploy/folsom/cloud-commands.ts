import { resolve } from 'node:path';
import { systemClock } from '@folsom/core';
import { type Command, Option } from 'commander';
import {
  type Done,
  hostIp,
  layoutAt,
  logLevels,
  parts,
  portsOffset,
  print,
  settings,
  stateDir,
  type Where,
  whole,
} from './command-line.ts';
import * as commands from './commands.ts';
import { PARTS } from './layout.ts';
import type { Setting } from './part.ts';
import type { UpOptions } from './up.ts';

interface Address {
  hostIp: string;
  portsOffset: number;
}

type UpCommand = Omit<UpOptions, 'settings' | 'passwords'> & { set: Setting[] };

// A password given as an argument could be read by everybody in the list of processes.
const PASSWORDS = `
The passwords of the users admin and demo are generated at the first start, unless the environment variables
FOLSOM_ADMIN_PASSWORD and FOLSOM_DEMO_PASSWORD give them.`;

/** `folsom up`. */
export function addUp(program: Command, done: Done): void {
  program
    .command('up', { isDefault: true })
    .description(
      'start the cloud and stay in the foreground; Ctrl-C stops the services and leaves guests running',
    )
    .addOption(stateDir())
    .addOption(hostIp())
    .addOption(portsOffset())
    .option(
      '--fixed-range <cidr>',
      'network of the guests (default: "10.0.0.0/24"); stays what it was at first',
    )
    .option(
      '--floating-range <cidr>',
      'pool of floating addresses, made at the first start, or none (default: "172.24.4.224/28")',
    )
    .option(
      '--allow-ping-and-ssh',
      'let ping and ssh into the group default of the tenants admin and demo',
      false,
    )
    .addOption(
      new Option(
        '--set <option=value>',
        'an option of a service for this start, e.g. nova.api_rate_limit=True',
      )
        .argParser(settings)
        .default([], 'none; may be repeated'),
    )
    .addOption(
      new Option('--compute-driver <driver>', 'auto takes libvirt where it can run')
        .choices(['auto', 'libvirt', 'fake'])
        .default('auto'),
    )
    .addOption(
      new Option('--services <list>', 'parts to run; compute needs image')
        .default([...PARTS], PARTS.join(','))
        .argParser(parts),
    )
    .option('--swift-devices <n>', 'object storage: devices', whole(1), 1)
    .option('--swift-replicas <n>', 'object storage: replicas', whole(1), 1)
    .addOption(
      new Option('--log-level <levels>', 'of all services, and of some: info, or warn,nova-compute=debug')
        .argParser(logLevels)
        .default({ level: 'debug', modules: {} }, 'debug'),
    )
    .option('--no-metrics', 'do not serve Prometheus metrics')
    .option('--otlp-endpoint <url>', 'collector that spans of requests and messages are sent to')
    .addHelpText('after', PASSWORDS)
    .action(async (options: UpCommand) => {
      print(`Folsom: starting the cloud in ${resolve(options.stateDir)} ...`);
      const { up } = await import('./up.ts');
      const { FOLSOM_ADMIN_PASSWORD: adminPassword, FOLSOM_DEMO_PASSWORD: demoPassword } = process.env;
      const passwords = {
        ...(adminPassword ? { adminPassword } : {}),
        ...(demoPassword ? { demoPassword } : {}),
      };
      done(
        await up(
          { ...options, settings: options.set, passwords, stateDir: resolve(options.stateDir) },
          print,
        ),
      );
    });
}

/** `folsom down` and `folsom status`. */
export function addDownAndStatus(program: Command, done: Done): void {
  program
    .command('down')
    .description('stop the services; with --purge remove every trace (guests, bridges, rules, files)')
    .addOption(stateDir())
    .option('--purge', 'remove guests, bridges, rules and the state directory', false)
    .action(async (options: Where & { purge: boolean }) => {
      const { down } = await import('./down.ts');
      done(await down(layoutAt(options), options.purge, print));
    });

  program
    .command('status')
    .description('each service, its state, memory and address')
    .addOption(stateDir())
    .action(async (options: Where) => {
      done(await commands.status(layoutAt(options), print));
    });
}

/** `folsom doctor`. */
export function addDoctor(program: Command, done: Done): void {
  program
    .command('doctor')
    .description('old defaults in use and what this machine lacks, each with its fix; changes nothing')
    .argument('[files...]', 'configuration files to look into')
    .addOption(stateDir())
    .addOption(hostIp())
    .addOption(portsOffset())
    .action(async (files: string[], options: Where & Address) => {
      done(
        await commands.doctor(
          resolve(options.stateDir),
          { hostIp: options.hostIp, portsOffset: options.portsOffset, files, now: systemClock.now },
          print,
        ),
      );
    });
}
