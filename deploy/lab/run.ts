// `npm run lab -- COMMAND`: a cloud of several hosts on one machine. `-- --help` has the rest.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { must } from '@folsom/core';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { removeLab } from './down.ts';
import { type Aim, FAULT_NAMES, FAULTS, type FaultKind, type FaultName, heal } from './faults.ts';
import { libvirtMissing } from './libvirt.ts';
import { type LabPlan, type Place, placeOf, readPlan } from './place.ts';
import { CONTROLLER, HOSTS_MAX } from './plan.ts';
import { HOST_SHELL_ENV, type Lab, openLab, planned, spaceOf } from './processes.ts';
import { enter, enterNetwork, findSpaces, SWITCH, standsIn } from './spaces.ts';
import { statusLines } from './status.ts';

const DIR = '/var/lib/folsom-lab';
const tell = (text: string) => console.log(text);

const whole = (least: number, most: number) => (text: string) => {
  const number = Number(text);
  if (!Number.isInteger(number) || number < least || number > most)
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  return number;
};

const program = new Command('npm run lab --')
  .description(
    'A cloud of several hosts on this machine: each host a set of namespaces (network, mounts, processes, name), each service a process.',
  )
  .enablePositionalOptions()
  .option('--dir <dir>', 'where the lab keeps everything', DIR)
  .addHelpText(
    'after',
    `
The hosts have addresses 172.16.200.6 and up in a network that only they are in. All of a lab is gone after \`down\`.`,
  );

const place = (): Place => placeOf(resolve(program.opts<{ dir: string }>().dir));

/** The lab that is there. */
function theLab(): Lab {
  const plan = readPlan(place());
  if (plan === undefined) throw new Error(`there is no lab in ${place().dir}: npm run lab -- up`);
  return openLab(place(), plan);
}

/** Goes on in the lab's network, as this same command, where it is not there yet. Answers whether it is. */
function inTheLab(lab: Lab): boolean {
  const center = lab.spaces.get(SWITCH);
  if (center === undefined) throw new Error('the lab is not running: npm run lab -- up');
  if (standsIn(center)) return true;
  const words = [...enterNetwork(center), process.execPath, ...process.argv.slice(1)];
  const { status, error } = spawnSync(must(words[0], 'there are words'), words.slice(1), {
    stdio: 'inherit',
  });
  if (error) throw error;
  process.exitCode = status ?? 1;
  return false;
}

interface UpCommand {
  hosts: number;
  brokers: '1' | '3';
  twins: boolean;
  driver: 'auto' | 'libvirt' | 'fake';
  diskMb: number | undefined;
  bare: boolean;
}

function wanted(options: UpCommand) {
  const brokers = options.brokers === '3' ? (3 as const) : (1 as const);
  const least = Math.max(brokers, options.twins ? 2 : 1);
  if (options.hosts < least) throw new Error(`so many brokers and twins want ${least} hosts`);
  const missing = options.driver === 'fake' ? [] : libvirtMissing();
  if (options.driver === 'libvirt' && missing.length > 0)
    throw new Error(`no real guests: ${missing.join(', ')} is not there`);
  const driver = options.driver === 'fake' || missing.length > 0 ? ('fake' as const) : ('libvirt' as const);
  const why =
    missing.length > 0 ? `${missing.join(', ')} is not there` : '--driver auto has them where libvirt is';
  const without =
    driver === 'fake' ? [`real guests (${why}): the driver is FAKE, no machine really runs`] : [];
  const { hosts, twins, diskMb, bare } = options;
  return { hosts, twins, diskMb, bare, brokers, driver, without };
}

program
  .command('up', { isDefault: true })
  .description('makes the hosts and starts everything; what was there before is removed')
  .option('--hosts <n>', 'how many', whole(1, HOSTS_MAX), 3)
  .addOption(new Option('--brokers <n>', 'RabbitMQ nodes').choices(['1', '3']).default('1'))
  .option('--twins', 'APIs, scheduler and keystone also on the second host', false)
  .addOption(
    new Option('--driver <name>', 'what runs guests; auto: libvirt where it is there')
      .choices(['auto', 'libvirt', 'fake'])
      .default('fake'),
  )
  .option('--disk-mb <n>', "size of each host's disk", whole(512, 1_000_000))
  .option('--bare', 'hosts and servers only, for an installation by hand', false)
  .action(async (options: UpCommand) => {
    if (process.getuid?.() !== 0) throw new Error('only root may make namespaces');
    const { makeHosts, startAll } = await import('./up.ts');
    const begun = findSpaces(place().dir).get(SWITCH);
    // The second half, in the network of what the first has made.
    if (begun !== undefined && standsIn(begun)) {
      const plan = must(readPlan(place()), 'the first half has written it');
      return startAll(place(), plan, tell);
    }
    const from = performance.now();
    const plan = await makeHosts(place(), wanted(options), tell);
    inTheLab(openLab(place(), plan));
    if (process.exitCode) return;
    for (const what of plan.without) tell(`without ${what}`);
    tell(`ready in ${((performance.now() - from) / 1000).toFixed(0)} s`);
    tell(`  npm run lab -- shell ${CONTROLLER}     a shell on a host, with the administrator's credentials`);
    tell('  npm run lab -- down                 removes everything');
  });

program
  .command('down')
  .description('ends everything and removes every trace')
  .action(async () => {
    const hosts = await removeLab(place());
    tell(hosts === 0 ? 'nothing was running' : 'the lab is gone');
  });

program
  .command('status')
  .description('each host and what runs on it; exit code 1 where something is missing')
  .action(async () => {
    const { lines, whole: isWhole } = await statusLines(theLab());
    tell(lines.join('\n'));
    process.exitCode = isWhole ? 0 : 1;
  });

program
  .command('shell')
  .description("a shell on a host, or a command there; the administrator's credentials are set")
  .argument('<host>')
  .argument('[command...]')
  .passThroughOptions()
  .action((host: string, command: string[]) => {
    const lab = theLab();
    process.exitCode = shellOn(lab, host, command);
  });

function shellOn(lab: Lab, host: string, command: readonly string[]): number {
  if (!lab.plan.plan.some(({ name }) => name === host)) throw new Error(`hosts are ${hostNames(lab.plan)}`);
  // Its folder is mounted there, whatever lies over it.
  const script = 'cd /root 2>/dev/null || cd /; [ ! -r /run/lab/openrc ] || . /run/lab/openrc; exec "$@"';
  const inner = command.length > 0 ? command : ['bash', '--norc'];
  const words = [...enter(spaceOf(lab, host)), 'sh', '-c', script, 'sh', ...inner];
  const env = { ...HOST_SHELL_ENV, TERM: process.env.TERM ?? 'dumb', PS1: `[${host}] \\w # ` };
  const { status, error } = spawnSync(must(words[0], 'there are words'), words.slice(1), {
    stdio: 'inherit',
    env,
  });
  if (error) throw error;
  return status ?? 1;
}

interface FaultCommand {
  undo: boolean;
  seconds: number;
}

program
  .command('fault')
  .description('does something bad to the lab; --undo takes it back')
  .addArgument(new Argument('<name>', 'what').choices(FAULT_NAMES))
  .argument('[host]')
  .argument('[process]')
  .option('--undo', 'takes it back', false)
  .option('--seconds <n>', 'how far the clock steps', Number, 120)
  .addHelpText('after', `\n${FAULT_NAMES.map(name => `${name.padEnd(10)} ${FAULTS[name].about}`).join('\n')}`)
  .action(
    async (name: FaultName, host: string | undefined, process: string | undefined, options: FaultCommand) => {
      const lab = theLab();
      const fault: FaultKind = FAULTS[name];
      const aim = aimOf(lab, fault, { host, process, seconds: options.seconds });
      if (!inTheLab(lab)) return;
      await (options.undo ? fault.end(lab, aim) : fault.begin(lab, aim));
      tell(options.undo ? `${name} is taken back` : `${name}: ${fault.about}`);
    },
  );

function aimOf(
  lab: Lab,
  { wants, aim }: FaultKind,
  given: { host: string | undefined; process: string | undefined; seconds: number },
): Aim {
  const own = aim(lab);
  const host = given.host ?? own.host;
  if (host === undefined) throw new Error(`on which host? ${hostNames(lab.plan)}`);
  const known = planned(lab).filter(one => one.host === host);
  if (!lab.plan.plan.some(({ name }) => name === host)) throw new Error(`hosts are ${hostNames(lab.plan)}`);
  const wanted = given.process ?? own.process;
  const process = known.find(({ name }) => name === wanted)?.name;
  if (process === undefined && (wants.includes('process') || own.process !== undefined))
    throw new Error(`which process? ${known.map(({ name }) => name).join(', ')}`);
  return { host, process: process ?? 'nova-compute', seconds: given.seconds };
}

program
  .command('heal')
  .description('takes every fault back')
  .action(async () => {
    const lab = theLab();
    if (!inTheLab(lab)) return;
    await heal(lab);
    tell('everything runs');
  });

interface CampaignCommand {
  clients: number;
  seconds: number;
  seed: number;
}

const campaign = (command: Command): Command =>
  command
    .option('--clients <n>', 'how many work meanwhile', whole(1, 200), 8)
    .option('--seed <n>', 'what they do', whole(0, 1_000_000), 1);

campaign(
  program
    .command('faults')
    .description(
      'each fault in turn while clients work; prints time to recovery, errors they saw, what was lost and stuck',
    )
    .argument('[name...]'),
)
  .option('--seconds <n>', 'how long each stands', whole(1, 600), 10)
  .action(async (names: string[], options: CampaignCommand) => {
    const lab = theLab();
    if (!inTheLab(lab)) return;
    const { measureFaults } = await import('./figures.ts');
    if (!(await measureFaults(lab, names, { ...options, tell }))) process.exitCode = 1;
  });

campaign(
  program
    .command('roll')
    .description(
      'restarts every service, one process at a time, while clients work; exit code 1 where one noticed',
    ),
).action(async (options: CampaignCommand) => {
  const lab = theLab();
  if (!inTheLab(lab)) return;
  const { roll } = await import('./figures.ts');
  if (!(await roll(lab, { ...options, tell }))) process.exitCode = 1;
});

const hostNames = (plan: LabPlan): string => plan.plan.map(({ name }) => name).join(', ');

try {
  await program.parseAsync();
} catch (error) {
  console.error(`lab: ${(error as Error).message}`);
  process.exitCode = 1;
}
// What the lab started goes on, and is not waited for.
process.exit();
