import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { childrenOf, processTable, runningSwift, signalNumber } from '../swift-tools/processes.ts';

const USAGE = `Usage: swift-orphans [options]

Lists Swift processes that no .pid file in /var/run/swift knows, and on demand
sends them a signal. Processes with the parameter 'once' are left out.

Example (SIGTERM to all orphans older than two hours): swift-orphans -a 2 -k TERM

Options:
  -h, --help            show this help message and exit
  -a HOURS, --age=HOURS
                        look for processes at least HOURS old; default: 24
  -k SIGNAL, --kill=SIGNAL
                        send SIGNAL to matched processes; default: just list
                        process information
  -w, --wide            don't clip the listing at 80 characters
  -r DIR, --run-dir=DIR where the pid files are (default /var/run/swift)
`;

/** swift-orphans: processes of swift's that `swift-init` knows nothing of. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      help: { type: 'boolean', short: 'h' },
      age: { type: 'string', short: 'a', default: '24' },
      kill: { type: 'string', short: 'k' },
      wide: { type: 'boolean', short: 'w', default: false },
      'run-dir': { type: 'string', short: 'r', default: '/var/run/swift' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const hours = Number(values.age);
  if (!Number.isInteger(hours)) {
    process.stderr.write(
      `${USAGE}\nswift-orphans: error: option -a: invalid integer value: '${values.age}'\n`,
    );
    return 2;
  }
  const signal = values.kill === undefined ? null : signalNumber(values.kill);
  if (values.kill !== undefined && signal === null) {
    process.stderr.write(`Could not translate '${values.kill}' to a signal number.\n`);
    return 1;
  }
  const tracked = pidsIn(values['run-dir']);
  const known = new Set([process.pid, ...tracked, ...(await childrenOf(tracked))]);
  const orphans = (await runningSwift()).filter(
    ({ pid, command, hours: age }) =>
      age >= hours &&
      !known.has(pid) &&
      !command.startsWith('orphans') &&
      !command.split(/\s+/).some(word => word === 'once' || word === '--once'),
  );
  process.stdout.write(processTable(orphans, values.wide));
  if (signal === null || orphans.length === 0) return 0;
  process.stdout.write(`Sending processes ${values.kill} (${signal}) signal... `);
  for (const { pid } of orphans) process.kill(pid, signal);
  process.stdout.write('Done.\n');
  return 0;
}

/** What the .pid files of a directory and those below it hold. */
function pidsIn(directory: string): number[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.pid'))
    .map(name => Number(readFileSync(join(directory, name), 'utf8').trim()))
    .filter(pid => Number.isInteger(pid) && pid > 0);
}
