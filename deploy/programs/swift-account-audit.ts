import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '@folsom/core';
import { accountAudit } from '@folsom/object-tools';
import { openRing } from '@folsom/ring';
import { hashPathSuffix, pathHash, readConf } from '@folsom/swift';
import { createInternalClient } from '@folsom/swift-http';

const USAGE = `
Usage!

swift-account-audit [options] [url 1] [url 2] ...
    -c [concurrency]      Set the concurrency, default 50
    -r [ring dir]         Ring locations, default /etc/swift
    -e [filename]         File for writing a list of inconsistent urls
    -d                    Also download files and verify md5

You can also feed a list of urls to the script through stdin.

Examples!

    swift-account-audit AUTH_88ad0b83-b2c5-4fa1-b2d6-60c597202076
    swift-account-audit AUTH_88ad0b83-b2c5-4fa1-b2d6-60c597202076/container/object
    swift-account-audit -e errors.txt AUTH_88ad0b83-b2c5-4fa1-b2d6-60c597202076/container
    swift-account-audit < errors.txt
    swift-account-audit -c 25 -d < errors.txt

`;

/** swift-account-audit: whether all replicas of accounts, containers and objects agree. */
export async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      concurrency: { type: 'string', short: 'c', default: '50' },
      rings: { type: 'string', short: 'r', default: '/etc/swift' },
      errors: { type: 'string', short: 'e' },
      deep: { type: 'boolean', short: 'd', default: false },
    },
  });
  if (positionals.length === 0 && process.stdin.isTTY) {
    process.stdout.write(USAGE);
    return 0;
  }
  const piped = process.stdin.isTTY ? [] : readFileSync(0, 'utf8').split(/\r?\n/).filter(Boolean);
  const { rings: directory, errors } = values;
  const ring = (kind: string) => openRing({ path: join(directory, `${kind}.ring.gz`), clock: systemClock });
  const client = createInternalClient({ clock: systemClock });
  const { audit, printStats } = accountAudit({
    rings: { account: ring('account'), container: ring('container'), object: ring('object') },
    pathHash: pathHash(hashPathSuffix(readConf(join(directory, 'swift.conf')))),
    client,
    concurrency: Math.max(1, Number(values.concurrency) || 50),
    deep: values.deep,
    print: line => void process.stdout.write(`${line}\n`),
    inconsistent: path => {
      if (errors !== undefined) appendFileSync(errors, `${path}\n`);
    },
  });
  for (const path of [...positionals, ...piped]) await audit(path);
  printStats();
  client.close();
  return 0;
}
