import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** An option of one of swift's files and who acts on it, or why nobody does. */
export interface SwiftOptionFact {
  file: string;
  section: string;
  name: string;
  default: string;
  /** The code that reads it, as folders of the tree; empty where nothing does. */
  readers: readonly string[];
  reason?: string;
}

/** Code that reads swift's files; an option is read where its name stands in quotes or as a member. */
const CODE =
  /^(services\/object-|libs\/(swift|swift-http|container-db|ring|memcache|auth)\/|deploy\/(swift|object)|deploy\/programs\/swift)/;

const SIZES = 'pieces have the size in which they arrive, and what waits in memory is limited by the streams';
/** By section and name; read by nothing. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  'account-replicator.error_suppression_interval': 'a node is asked anew in each pass',
  'account-replicator.error_suppression_limit': 'a node is asked anew in each pass',
  'app:object-server.network_chunk_size': SIZES,
  'app:proxy-server.client_chunk_size': SIZES,
  'app:proxy-server.object_chunk_size': SIZES,
  'app:proxy-server.put_queue_depth': SIZES,
  'object-replicator.daemonize': 'a daemon runs until it is stopped; `once` is asked for on the command line',
  'object-replicator.lockup_timeout': 'every transfer has a limit of its own: rsync_timeout and http_timeout',
};

/** Which services a file is for; one that is not named here is the tools'. */
const SERVICES: Readonly<Record<string, RegExp>> = {
  'account-server.conf': /object-account$/,
  'container-server.conf': /object-container$/,
  'object-server.conf': /object-server$/,
  'object-expirer.conf': /object-server$/,
  'proxy-server.conf': /object-proxy$/,
  'memcache.conf': /object-proxy$/,
};
const TOOLS = /object-tools$/;

/** Values of memcache_serialization_support that the samples explain in a comment of the form of an option. */
const NO_OPTION = /^\d$/;

/** What stands in the code for options whose names are put together there. */
const inCode = (name: string): string =>
  name.replace(/^access_(log_statsd_)/, '$1').replace(/^(container_ratelimit_)\d+$/, '$1');

/** Every option of the original's sample files. */
export function swiftOptionFacts(
  original: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>,
): SwiftOptionFact[] {
  const code = swiftSources();
  return Object.entries(original).flatMap(([file, sections]) =>
    Object.entries(sections).flatMap(([section, options]) =>
      Object.entries(options)
        .filter(([name]) => !NO_OPTION.test(name))
        .map(([name, value]) => {
          const reason = WITHOUT_EFFECT[`${section}.${name}`];
          const services = SERVICES[file] ?? TOOLS;
          const readers = readersOf(inCode(name), code).filter(
            folder => !folder.startsWith('services/') || services.test(folder),
          );
          return {
            file,
            section,
            name,
            default: value,
            readers,
            ...(reason === undefined ? {} : { reason }),
          };
        }),
    ),
  );
}

/** A word that means other things in the code, too, counts only where it is taken out of a section. */
const readOf = (name: string): RegExp =>
  name.includes('_')
    ? new RegExp(`['"\`^]${name}(['"\`]|\\(\\\\d)|\\.${name}\\b`)
    : new RegExp(
        `\\.(str|int|float|bool|list|has)\\(\\s*['"\`]${name}['"\`]|(values|conf|section)\\.${name}\\b`,
      );

function readersOf(name: string, code: readonly { folder: string; text: string }[]): string[] {
  const read = readOf(name);
  return [...new Set(code.filter(({ text }) => read.test(text)).map(({ folder }) => folder))].sort();
}

const swiftSources = (): { folder: string; text: string }[] =>
  ['libs', 'services', 'deploy'].flatMap(top =>
    readdirSync(join(ROOT, top), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && /(?<!\.test)\.ts$/.test(entry.name))
      .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
      .filter(path => CODE.test(path) && !path.includes('node_modules'))
      .map(path => ({
        folder: path.split('/').slice(0, 2).join('/'),
        text: readFileSync(join(ROOT, path), 'utf8'),
      })),
  );
