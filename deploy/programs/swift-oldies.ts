import { parseArgs } from 'node:util';
import { processTable, runningSwift } from '../swift-tools/processes.ts';

const USAGE = `Usage: swift-oldies [options]

Lists old Swift processes.

Options:
  -h, --help            show this help message and exit
  -a HOURS, --age=HOURS
                        look for processes at least HOURS old; default: 720
                        (30 days)
`;

/** swift-oldies: processes of swift's that run for long. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: { help: { type: 'boolean', short: 'h' }, age: { type: 'string', short: 'a', default: '720' } },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const hours = Number(values.age);
  if (!Number.isInteger(hours)) {
    process.stderr.write(
      `${USAGE}\nswift-oldies: error: option -a: invalid integer value: '${values.age}'\n`,
    );
    return 2;
  }
  process.stdout.write(processTable((await runningSwift()).filter(found => found.hours >= hours)));
  return 0;
}
