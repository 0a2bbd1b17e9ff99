import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { must, systemClock, systemRandom } from '@folsom/core';
import { benchOptions, runBench } from '@folsom/object-tools';
import { confSection, readConf } from '@folsom/swift';
import { createInternalClient } from '@folsom/swift-http';

const SAIO = { auth: 'http://localhost:8080/auth/v1.0', user: 'test:tester', key: 'testing' };
const USAGE = `Usage: swift-bench [OPTIONS] [CONF_FILE]

Conf file with SAIO defaults:

    [bench]
    auth = ${SAIO.auth}
    user = ${SAIO.user}
    key = ${SAIO.key}
    concurrency = 10
    object_size = 1
    num_objects = 1000
    num_gets = 10000
    delete = yes
    auth_version = 1.0

Options:
  -h, --help            show this help message and exit
  --saio                Run benchmark with SAIO defaults
  -A AUTH, --auth=AUTH  URL for obtaining an auth token
  -U USER, --user=USER  User name for obtaining an auth token
  -K KEY, --key=KEY     Key for obtaining an auth token
  -u URL, --url=URL     Storage URL
  -c CONCURRENCY, --concurrency=CONCURRENCY
                        Number of concurrent connections to use
  -s OBJECT_SIZE, --object-size=OBJECT_SIZE
                        Size of objects to PUT (in bytes)
  -l LOWER_OBJECT_SIZE, --lower-object-size=LOWER_OBJECT_SIZE
                        Lower size of objects (in bytes); --object-size will
                        be upper-object-size
  -n NUM_OBJECTS, --num-objects=NUM_OBJECTS
                        Number of objects to PUT
  -g NUM_GETS, --num-gets=NUM_GETS
                        Number of GET operations to perform
  -x, --no-delete       If set, will not delete the objects created
  -V AUTH_VERSION, --auth_version=AUTH_VERSION
                        Authentication version
`;

const text = (short: string) => ({ type: 'string' as const, short });
const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  saio: { type: 'boolean' },
  auth: text('A'),
  user: text('U'),
  key: text('K'),
  url: text('u'),
  concurrency: text('c'),
  'object-size': text('s'),
  'lower-object-size': text('l'),
  'num-objects': text('n'),
  'num-gets': text('g'),
  'no-delete': { type: 'boolean', short: 'x' },
  auth_version: text('V'),
} as const;

/** swift-bench: how fast a cluster takes, gives and deletes objects. */
export async function main(argv: string[]): Promise<number> {
  if (argv.length === 0) {
    process.stdout.write(USAGE);
    return 1;
  }
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: OPTIONS,
  });
  const fail = (why: string, code: number): number => {
    process.stderr.write(`${why}\n`);
    return code;
  };
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [confFile] = positionals;
  if (confFile !== undefined && !existsSync(confFile)) return fail(`No such conf file: ${confFile}`, 1);
  const { ST_AUTH = '', ST_USER = '', ST_KEY = '' } = process.env;
  const given: Record<string, string> = {
    auth: ST_AUTH,
    user: ST_USER,
    key: ST_KEY,
    ...(values.saio ? SAIO : {}),
    ...(confFile === undefined ? {} : readConf(confFile).section('bench').values),
  };
  const lower = values['lower-object-size'];
  const size = values['object-size'];
  if (lower !== undefined) {
    if (!(Number(size) > Number(lower))) {
      return fail(`--lower-object-size (${lower}) must be < --object-size (${size ?? 'not given'})`, 1);
    }
    given.lower_object_size = lower;
    given.upper_object_size = must(size, 'size is there');
  }
  const flags: Record<string, string | undefined> = {
    auth: values.auth,
    user: values.user,
    key: values.key,
    url: values.url,
    concurrency: values.concurrency,
    object_size: size,
    num_objects: values['num-objects'],
    num_gets: values['num-gets'],
    auth_version: values.auth_version,
    delete: values['no-delete'] ? 'no' : undefined,
  };
  for (const [name, value] of Object.entries(flags)) if (value !== undefined) given[name] = value;
  let stopped = false;
  process.once('SIGTERM', () => process.exit(fail('Termination signal received.', 1)));
  process.once('SIGINT', () => {
    stopped = true;
    process.stderr.write('SIGINT received; finishing up and deleting. Once more to exit immediately.\n');
    process.once('SIGINT', () => process.exit(fail('Final SIGINT received.', 1)));
  });
  const client = createInternalClient({ clock: systemClock });
  try {
    await runBench(benchOptions(confSection(given, 'bench', confFile ?? 'the command line'), systemRandom), {
      client,
      clock: systemClock,
      random: systemRandom,
      log: line => {
        const at = new Date(systemClock.now())
          .toISOString()
          .replace('T', ' ')
          .replace('Z', '')
          .replace('.', ',');
        process.stderr.write(`swift-bench ${at} INFO ${line}\n`);
      },
      stopped: () => stopped,
    });
  } finally {
    client.close();
  }
  return 0;
}
