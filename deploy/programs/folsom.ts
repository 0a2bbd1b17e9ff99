import { resolve } from 'node:path';
import { systemClock } from '@folsom/core';
import { Command, InvalidArgumentError, Option } from 'commander';
import * as commands from '../folsom/commands.ts';
import { layoutOf, PARTS, type PartName, portsWithOffset } from '../folsom/layout.ts';

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

/** The project's own program: brings a whole cloud up on this machine and looks after it. */
export async function main(argv: string[]): Promise<number> {
  let code = 0;
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
      code = await up({ ...options, passwords, stateDir: resolve(options.stateDir) }, print);
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
    .action(async options => {
      code = await commands.logs(layoutOf(resolve(options.stateDir)), options.follow);
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
