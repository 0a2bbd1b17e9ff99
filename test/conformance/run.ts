import { parseArgs } from 'node:util';
import { featuresOf } from './features.ts';
import { objectCases } from './object/index.ts';
import { type Outcome, runCases } from './suite.ts';
import { type Login, logIn, targetOf } from './target.ts';

const HELP = `npm run conformance -- object URL [options]

Asks an object store everything that swift's clients rely on, and says what it does not do. The account that is used
should be empty or a test's own: containers named conformance-... are made in it and removed again.

  URL                      where users log in (http://host:8080/auth/v1.0); with --token any URL of the store
  --user USER --key KEY    a user who owns an account (test:tester)
  --token TOKEN --storage-url URL      instead of a login, as "swift stat -v" prints them
  --other-user USER --other-key KEY    a user of another account, for what must be refused to one
  --other-token TOKEN                  the same with a token
  --only PATTERN           cases whose names match
  --quiet                  names only what failed or was left out

Ends with 1 if anything failed, 2 if it could not begin.
`;

interface Options {
  user?: string;
  key?: string;
  token?: string;
  'storage-url'?: string;
  'other-user'?: string;
  'other-key'?: string;
  'other-token'?: string;
  only?: string;
  quiet?: boolean;
  help?: boolean;
}

async function main(argv: string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      user: text,
      key: text,
      token: text,
      'storage-url': text,
      'other-user': text,
      'other-key': text,
      'other-token': text,
      only: text,
      quiet: flag,
      help: { ...flag, short: 'h' },
    },
  });
  const options: Options = values;
  const [kind, url] = positionals;
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (kind !== 'object' || !url) {
    process.stderr.write(HELP);
    return 2;
  }
  const login = await loginOf(url, options);
  const other = await otherOf(url, options, login);
  const target = targetOf(login, other);
  const has = await featuresOf(target);
  const wanted = objectCases.filter(({ name }) => new RegExp(options.only ?? '').test(name));
  const outcomes = await runCases(target, wanted, has, outcome => print(outcome, options.quiet === true));
  target.close();
  const count = (result: Outcome['result']) => outcomes.filter(one => one.result === result).length;
  const ends = (['passed', 'failed', 'left out', 'as 1.7.4'] as const).filter(
    result => result !== 'as 1.7.4' || count(result) > 0,
  );
  console.log(ends.map(result => `${count(result)} ${result}`).join(', '));
  return count('failed') === 0 ? 0 : 1;
}

function print(outcome: Outcome, quiet: boolean): void {
  if (outcome.result === 'passed') {
    if (!quiet) console.log(`passed    ${outcome.case}`);
  } else console.log(`${outcome.result.padEnd(8)}  ${outcome.case}: ${outcome.why}`);
}

async function loginOf(url: string, options: Options): Promise<Login> {
  const { user, key, token } = options;
  if (token !== undefined) return { token, storageUrl: options['storage-url'] ?? url };
  if (user === undefined || key === undefined) throw new Error('--user and --key, or --token, are needed');
  return logIn(url, user, key);
}

async function otherOf(url: string, options: Options, { storageUrl }: Login): Promise<Login | null> {
  const { 'other-user': user, 'other-key': key, 'other-token': token } = options;
  if (token !== undefined) return { token, storageUrl };
  return user !== undefined && key !== undefined ? logIn(url, user, key) : null;
}

process.exitCode = await main(process.argv.slice(2)).catch(error => {
  console.error(`conformance: ${(error as Error).message}`);
  return 2;
});
