import { parseArgs } from 'node:util';
import { reportDispersion, runDispersion } from '@folsom/object-tools';

const USAGE = `Usage: swift-dispersion-report [options] [conf_file]

[conf_file] defaults to /etc/swift/dispersion.conf

Options:
  -h, --help       show this help message and exit
  -j, --dump-json  dump dispersion report in json format
  -d, --debug      print 404s to standard error
`;

/** swift-dispersion-report: how many of the copies that should be there are there. */
export async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      'dump-json': { type: 'boolean', short: 'j', default: false },
      debug: { type: 'boolean', short: 'd', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const flags = { dumpJson: values['dump-json'], debug: values.debug };
  return runDispersion(positionals[0] ?? '/etc/swift/dispersion.conf', flags, reportDispersion);
}
