import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '@folsom/core';
import { type ReconCheck, runRecon } from '@folsom/object-tools';
import { openRing } from '@folsom/ring';
import { createInternalClient } from '@folsom/swift-http';

const USAGE = `Usage: swift-recon <server_type> [-v] [--suppress] [-a] [-r] [-u] [-d]
        [-l] [--md5] [--auditor] [--updater] [--expirer] [--sockstat]

        <server_type>	account|container|object
        Defaults to object server.

        ex: swift-recon container -l --auditor

Options:
  -h, --help            show this help message and exit
  -v, --verbose         Print verbose info
  --suppress            Suppress most connection related errors
  -a, --async           Get async stats
  -r, --replication     Get replication stats
  --auditor             Get auditor stats
  --updater             Get updater stats
  --expirer             Get expirer stats
  -u, --unmounted       Check cluster for unmounted devices
  -d, --diskusage       Get disk usage stats
  -l, --loadstats       Get cluster load average stats
  -q, --quarantined     Get cluster quarantine stats
  --md5                 Get md5sum of servers ring and compare to local copy
  --sockstat            Get cluster socket usage stats
  --all                 Perform all checks. Equal to -arudlq --md5 --sockstat
  -z ZONE, --zone=ZONE  Only query servers in specified zone
  -t SECONDS, --timeout=SECONDS
                        Time to wait for a response from a server
  --swiftdir=SWIFTDIR   Default = /etc/swift
`;

const KINDS = ['account', 'container', 'object'] as const;
const COMMON: ReconCheck[] = ['unmounted', 'loadstats', 'diskusage', 'md5', 'quarantined', 'sockstat'];
const ALL: Record<(typeof KINDS)[number], ReconCheck[]> = {
  object: ['async', 'replication', 'auditor', 'updater', 'expirer', ...COMMON],
  container: ['replication', 'auditor', 'updater', ...COMMON],
  account: ['replication', 'auditor', ...COMMON],
};
/** In the order in which they are carried out. */
const ORDER: ReconCheck[] = [
  'async',
  'unmounted',
  'replication',
  'auditor',
  'updater',
  'expirer',
  'loadstats',
  'diskusage',
  'md5',
  'quarantined',
  'sockstat',
];
const REFUSALS: Partial<Record<ReconCheck, string>> = {
  async: "Error: Can't check async's on non object servers.",
  updater: "Error: Can't check updaters on account servers.",
  expirer: "Error: Can't check expired on non object servers.",
};

/** swift-recon: how the servers of a ring are doing. */
export async function main(argv: string[]): Promise<number> {
  const flag = (short?: string) => ({
    type: 'boolean' as const,
    default: false,
    ...(short ? { short } : {}),
  });
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      help: flag('h'),
      verbose: flag('v'),
      suppress: flag(),
      async: flag('a'),
      replication: flag('r'),
      auditor: flag(),
      updater: flag(),
      expirer: flag(),
      unmounted: flag('u'),
      diskusage: flag('d'),
      loadstats: flag('l'),
      quarantined: flag('q'),
      md5: flag(),
      sockstat: flag(),
      all: flag(),
      zone: { type: 'string', short: 'z', default: '0' },
      timeout: { type: 'string', short: 't', default: '5' },
      swiftdir: { type: 'string', default: '/etc/swift' },
    },
  });
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  print('='.repeat(79));
  if (values.help || argv.length === 0 || positionals.length > 1) {
    process.stdout.write(USAGE);
    return 0;
  }
  const kind = KINDS.find(name => name === (positionals[0] ?? 'object'));
  if (!kind) {
    process.stdout.write(`Invalid Server Type\n${USAGE}`);
    return 1;
  }
  const wanted = values.all ? ALL[kind] : ORDER.filter(check => values[check]);
  const checks = wanted.filter(check => {
    if (ALL[kind].includes(check)) return true;
    print(REFUSALS[check] ?? `Error: Can't check ${check} on ${kind} servers.`);
    return false;
  });
  const client = createInternalClient({ clock: systemClock });
  const ringFile = join(values.swiftdir, `${kind}.ring.gz`);
  await runRecon(checks, {
    kind,
    ring: openRing({ path: ringFile, clock: systemClock }),
    ringFile,
    zone: Number(values.zone),
    timeoutMs: Number(values.timeout) * 1000,
    verbose: values.verbose,
    suppress: values.suppress,
    client,
    clock: systemClock,
    print,
  });
  client.close();
  return 0;
}
