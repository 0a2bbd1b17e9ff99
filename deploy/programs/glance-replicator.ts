import { appendFileSync } from 'node:fs';
import { CommandLineError, type Flag, formatHelp, parseFlags, VERSION_FLAG } from '@folsom/config';
import { REPLICATOR_COMMANDS } from '@folsom/image/manage';

const COMMANDS = `Commands:

    help <command>  Output help for one of the commands below

${Object.entries(REPLICATOR_COMMANDS)
  .map(([name, { help }]) => `    ${name.padEnd(16)}${help}`)
  .join('\n')}`;
const USAGE = `glance-replicator <command> [options] [args]\n\n${COMMANDS}`;
const DONT_REPLICATE = 'created_at date deleted_at location updated_at';
const TOKEN_HELP = 'Pass in your authentication token if you have one.';

const FLAGS: readonly Flag[] = [
  VERSION_FLAG,
  { name: '--chunksize', short: '-c', help: 'Amount of data to transfer per HTTP write' },
  { name: '--debug', short: '-d', isSwitch: true, help: 'Print debugging information' },
  { name: '--dontreplicate', short: '-D', help: 'List of fields to not replicate' },
  { name: '--metaonly', short: '-m', isSwitch: true, help: 'Only replicate metadata, not images' },
  { name: '--logfile', short: '-l', help: 'Path of file to log to' },
  { name: '--syslog', short: '-s', isSwitch: true, help: 'Log to syslog instead of a file' },
  {
    name: '--token',
    short: '-t',
    help: `${TOKEN_HELP} If you use this option the same token is used for both the master and the slave.`,
  },
  { name: '--mastertoken', short: '-M', help: `${TOKEN_HELP} This is the token used for the master.` },
  { name: '--slavetoken', short: '-S', help: `${TOKEN_HELP} This is the token used for the slave.` },
  { name: '--verbose', short: '-v', isSwitch: true, help: 'Print more verbose output' },
];

/** glance-replicator: copies images and what is known of them from one glance to another, or to a directory. */
export async function main(argv: string[]): Promise<number> {
  const out = (text: string) => void process.stdout.write(text);
  let parsed: ReturnType<typeof parseFlags>;
  try {
    parsed = parseFlags(FLAGS, argv);
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error;
    process.stderr.write(`Usage: ${USAGE}\n\nglance-replicator: error: ${error.message}\n`);
    return 2;
  }
  const { values, rest } = parsed;
  if (parsed.help || argv.length === 0) {
    out(formatHelp(USAGE, FLAGS));
    return 0;
  }
  if (values.version) {
    out('glance-replicator\n');
    return 0;
  }
  const [name, ...args] = rest;
  if (name === undefined) {
    out(`Usage: ${USAGE}\n\n`);
    return 0;
  }
  const wanted = name === 'help' ? args[0] : name;
  if (wanted === undefined) {
    out(`${COMMANDS}\n\n`);
    return 1;
  }
  const command = Object.hasOwn(REPLICATOR_COMMANDS, wanted) ? REPLICATOR_COMMANDS[wanted] : undefined;
  if (!command) {
    out(`Usage: ${USAGE}\n\n`);
    process.stderr.write(`Unknown command: ${wanted}\n`);
    return 1;
  }
  const usage = `glance-replicator ${wanted} ${command.args.map(arg => `<${arg}>`).join(' ')}`;
  if (name === 'help') {
    out(`${usage}\n\n    ${command.help}\n`);
    return 0;
  }
  if (args.length !== command.args.length) {
    process.stderr.write(`Usage: ${usage}\n`);
    return 1;
  }
  const { logfile } = values;
  const log = (line: string) =>
    typeof logfile === 'string' ? appendFileSync(logfile, `${line}\n`) : out(`${line}\n`);
  const talkative = values.verbose === true || values.debug === true;
  const text = (key: string) => String(values[key] ?? '');
  await command.run(
    args,
    {
      masterToken: text('token') || text('mastertoken'),
      slaveToken: text('token') || text('slavetoken'),
      dontReplicate: (text('dontreplicate') || DONT_REPLICATE).split(/\s+/),
      metaOnly: values.metaonly === true,
    },
    { print: line => out(`${line}\n`), info: line => talkative && log(line), warn: log },
  );
  return 0;
}
