import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { must, systemClock } from '@folsom/core';
import { INIT_COMMANDS, runInit, serverNames } from '../swift-tools/init.ts';

const USAGE =
  `Usage: swift-init <server> [<server> ...] <command> [options]\n\nCommands:\n` +
  Object.entries(INIT_COMMANDS)
    .map(([name, text]) => `${name.padStart(16)}: ${text}\n`)
    .join('') +
  `
Options:
  -h, --help            show this help message and exit
  -v, --verbose         display verbose output
  -w, --no-wait         won't wait for server to start before returning
  -o, --once            only run one pass of daemon
  -n, --no-daemon       start server interactively
  -g, --graceful        send SIGHUP to supporting servers
  -c N, --config-num=N  send command to the Nth server only
  --swift-dir=DIR       where the conf files are (default /etc/swift)
  -r DIR, --run-dir=DIR where the pid files are (default /var/run/swift)
`;

/** swift-init: starts, stops and shows swift's servers and daemons by their conf files. */
export async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      verbose: { type: 'boolean', short: 'v', default: false },
      'no-wait': { type: 'boolean', short: 'w', default: false },
      once: { type: 'boolean', short: 'o', default: false },
      'no-daemon': { type: 'boolean', short: 'n', default: false },
      graceful: { type: 'boolean', short: 'g', default: false },
      'config-num': { type: 'string', short: 'c', default: '0' },
      'swift-dir': { type: 'string', default: '/etc/swift' },
      'run-dir': { type: 'string', short: 'r', default: '/var/run/swift' },
    },
  });
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (positionals.length < 2) {
    process.stdout.write(`${USAGE}ERROR: specify server(s) and command\n`);
    return 1;
  }
  let servers = positionals.slice(0, -1);
  let command = must(positionals.at(-1), 'positionals is not empty');
  // `swift-init start main` is what many type first
  if (
    !Object.hasOwn(INIT_COMMANDS, command) &&
    Object.hasOwn(INIT_COMMANDS, must(servers[0], 'servers is not empty'))
  ) {
    servers = [...servers.slice(1), command];
    command = must(positionals[0], 'positionals is not empty');
  }
  if (!Object.hasOwn(INIT_COMMANDS, command)) {
    process.stdout.write(`${USAGE}ERROR: unknown command, ${command}\n`);
    return 1;
  }
  const code = await runInit(command, serverNames(servers), {
    swiftDir: values['swift-dir'],
    runDir: values['run-dir'],
    program: name => [process.execPath, fileURLToPath(new URL(`../bin/${name}.mjs`, import.meta.url))],
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      HOME: process.env.HOME ?? '/',
      ...(process.env.NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE } : {}),
    },
    once: values.once,
    wait: !values['no-wait'],
    daemon: !values['no-daemon'],
    verbose: values.verbose,
    graceful: values.graceful,
    number: Number(values['config-num']) || 0,
    clock: systemClock,
    print,
  });
  // The servers that were started go on without us.
  setImmediate(() => process.exit(code));
  return code;
}
