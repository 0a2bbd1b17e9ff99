import { resolve } from 'node:path';
import { systemClock } from '@folsom/core';
import { Command, InvalidArgumentError, Option } from 'commander';
import * as commands from '../folsom/commands.ts';
import { getConfig, listConfig, parseSetting, setConfig } from '../folsom/config-command.ts';
import { layoutOf, PARTS, type PartName, portsWithOffset } from '../folsom/layout.ts';
import { LEVELS, logs } from '../folsom/logs.ts';
import type { Setting } from '../folsom/part.ts';

const print = (line: string) => void process.stdout.write(`${line}\n`);

function whole(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number from ${least} up.`);
    return value;
  };
}

function parts(text: string): PartName[] {
  const given = text.split(',');
  const strange = given.find(name => !(PARTS as readonly string[]).includes(name));
  if (strange !== undefined)
    throw new InvalidArgumentError(`There are ${PARTS.join(', ')}, and no ${strange || 'empty name'}.`);
  if (given.includes('compute') && !given.includes('image'))
    throw new InvalidArgumentError('Compute needs image.');
  return PARTS.filter(part => part === 'identity' || given.includes(part));
}

function settings(text: string, before: Setting[]): Setting[] {
  try {
    return [...before, parseSetting(text)];
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

const stateDir = () => new Option('--state-dir <dir>', 'where everything is kept').default('./var');
const hostIp = () => new Option('--host-ip <address>', 'address the services listen on').default('127.0.0.1');
const portsOffset = () =>
  new Option('--ports-offset <n>', 'added to every port').default(0).argParser(whole(-4000));

// A password given as an argument could be read by everybody in the list of processes.
const PASSWORDS = `
The passwords of the users admin and demo are generated at the first start, unless the environment variables
FOLSOM_ADMIN_PASSWORD and FOLSOM_DEMO_PASSWORD give them.`;

const SECRETS = `
The environment gives FOLSOM_ADMIN_TOKEN, keystone's admin_token, and FOLSOM_PASSWORD, the password of every user it makes.`;
const POPULATE_TIMEOUT_MS = 30_000;

/** Takes the exit code of the command that ran. */
type Done = (code: number) => void;

function addConfigCommands(program: Command, done: Done): void {
  const config = program
    .command('config')
    .description('options of the services; changes count at the next start');
  config
    .command('list', { isDefault: true })
    .description('every option with its value and where it comes from')
    .argument('[service]', 'keystone, glance or nova')
    .addOption(stateDir())
    .option('--changed', "only those that are not Folsom's defaults", false)
    .action(async (service, options) => {
      done(
        await listConfig(layoutOf(resolve(options.stateDir)), { service, changed: options.changed }, print),
      );
    });
  config
    .command('get')
    .description('the value of one option')
    .argument('<option>', 'SERVICE.OPTION or SERVICE.SECTION.OPTION')
    .addOption(stateDir())
    .action(async (name, options) => {
      done(await getConfig(layoutOf(resolve(options.stateDir)), name, print));
    });
  config
    .command('set')
    .description("writes an option into the service's file in etc of the state directory")
    .argument('<option>', 'SERVICE.OPTION or SERVICE.SECTION.OPTION')
    .argument('<value>')
    .addOption(stateDir())
    .action(async (name, value, options) => {
      done(await setConfig(layoutOf(resolve(options.stateDir)), name, value, print));
    });
  config
    .command('unset')
    .description('takes an option out of that file: its default counts again')
    .argument('<option>', 'SERVICE.OPTION or SERVICE.SECTION.OPTION')
    .addOption(stateDir())
    .action(async (name, options) => {
      done(await setConfig(layoutOf(resolve(options.stateDir)), name, undefined, print));
    });
}

function addBackupCommands(program: Command, done: Done): void {
  program
    .command('backup')
    .description('copies databases, images, objects, keys and configuration; the cloud may go on running')
    .argument('<directory>', 'where to; made, or empty')
    .addOption(stateDir())
    .option('--disks', 'the disks of guests, too, each paused meanwhile', false)
    .action(async (target, options) => {
      const { backup } = await import('../folsom/backup.ts');
      done(
        await backup(
          layoutOf(resolve(options.stateDir)),
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
    .action(async (source, options) => {
      const { restore } = await import('../folsom/backup.ts');
      done(await restore(resolve(source), layoutOf(resolve(options.stateDir)), print));
    });
}

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
    .enablePositionalOptions();

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
    .option('--no-metrics', 'do not serve Prometheus metrics')
    .addHelpText('after', PASSWORDS)
    .action(async options => {
      print(`Folsom: starting the cloud in ${resolve(options.stateDir)} ...`);
      const { up } = await import('../folsom/up.ts');
      const { FOLSOM_ADMIN_PASSWORD: adminPassword, FOLSOM_DEMO_PASSWORD: demoPassword } = process.env;
      const passwords = {
        ...(adminPassword ? { adminPassword } : {}),
        ...(demoPassword ? { demoPassword } : {}),
      };
      code = await up(
        { ...options, settings: options.set, passwords, stateDir: resolve(options.stateDir) },
        print,
      );
    });

  program
    .command('down')
    .description('stop the services; with --purge remove every trace (guests, bridges, rules, files)')
    .addOption(stateDir())
    .option('--purge', 'remove guests, bridges, rules and the state directory', false)
    .action(async options => {
      const { down } = await import('../folsom/down.ts');
      code = await down(layoutOf(resolve(options.stateDir)), options.purge, print);
    });

  program
    .command('status')
    .description('each service, its state, memory and address')
    .addOption(stateDir())
    .action(async options => {
      code = await commands.status(layoutOf(resolve(options.stateDir)), print);
    });

  program
    .command('logs')
    .description('the log of all services, one JSON object a line')
    .addOption(stateDir())
    .option('-f, --follow', 'go on as it grows', false)
    .option('--request <id>', 'only what carries this request id')
    .option('--tenant <id>', 'only what was done for this tenant')
    .option('--service <name>', 'only this service')
    .addOption(new Option('--level <level>', 'only this level and what is graver').choices(LEVELS))
    .action(async options => {
      code = await logs(layoutOf(resolve(options.stateDir)), options);
    });

  program
    .command('env')
    .description('variables for the command lines, to be evaluated by a shell')
    .argument('[who]', 'admin or demo', 'admin')
    .addOption(stateDir())
    .action(async (who, options) => {
      if (who !== 'admin' && who !== 'demo')
        throw new Error(`there are variables for admin and demo, not for ${who}`);
      code = await commands.env(layoutOf(resolve(options.stateDir)), who, print);
    });

  program
    .command('trace')
    .description('the way of one request through the services, with times')
    .argument('<request-id>', 'req-... as an answer or the log gives it')
    .addOption(stateDir())
    .action(async (requestId, options) => {
      code = await commands.printTrace(layoutOf(resolve(options.stateDir)), requestId, print);
    });

  program
    .command('populate')
    .description(
      'tenants, users, roles and the catalog for a keystone that runs elsewhere; repeated, it adds what is missing',
    )
    .option('--admin-url <url>', "keystone's admin API", 'http://127.0.0.1:35357/v2.0')
    .option('--host-ip <address>', 'the address in the catalog', '127.0.0.1')
    .addOption(portsOffset())
    .addHelpText('after', SECRETS)
    .action(async options => {
      const { FOLSOM_ADMIN_TOKEN: adminToken, FOLSOM_PASSWORD: password } = process.env;
      if (!adminToken || !password)
        throw new Error('the environment must give FOLSOM_ADMIN_TOKEN and FOLSOM_PASSWORD');
      const { populate } = await import('../folsom/bootstrap.ts');
      await populate({
        adminUrl: options.adminUrl,
        hostIp: options.hostIp,
        ports: portsWithOffset(options.portsOffset),
        parts: PARTS,
        secrets: { adminToken, adminPassword: password, demoPassword: password, servicePassword: password },
        timeoutMs: POPULATE_TIMEOUT_MS,
      });
    });

  addConfigCommands(program, done);
  addBackupCommands(program, done);

  program
    .command('doctor')
    .description('old defaults in use and what this machine lacks, each with its fix; changes nothing')
    .argument('[files...]', 'configuration files to look into')
    .addOption(stateDir())
    .addOption(hostIp())
    .addOption(portsOffset())
    .action(async (files, options) => {
      code = await commands.doctor(
        resolve(options.stateDir),
        { hostIp: options.hostIp, portsOffset: options.portsOffset, files, now: systemClock.now },
        print,
      );
    });

  // Commander would hand a misspelt command to `up`, which is the default.
  const [first] = argv;
  const known = ['help', ...program.commands.map(command => command.name())];
  if (first !== undefined && !first.startsWith('-') && !known.includes(first))
    program.error(`folsom: there is no command ${first}; there are ${known.slice(1).join(', ')}`);
  await program.parseAsync(argv, { from: 'user' });
  return code;
}
