import { spawnAsRoot } from '@folsom/host/as-root';
import { filterDirectories, loadFilters, matchFilter } from '../rootwrap/filters.ts';

/** The original's exit codes. */
const UNAUTHORIZED = 99;
const NO_COMMAND = 98;
const BAD_CONFIG = 97;

const NAME = 'nova-rootwrap';

/** nova-rootwrap CONFIG COMMAND...: runs as root what the filters allow, and nothing else. */
export async function main(argv: string[]): Promise<number> {
  const [config, ...words] = argv;
  if (config === undefined || words.length === 0) return refuse('No command specified', NO_COMMAND);
  let directories: string[];
  try {
    directories = filterDirectories(config);
  } catch {
    return refuse(`Incorrect configuration file: ${config}`, BAD_CONFIG);
  }
  const filter = matchFilter(loadFilters(directories), words);
  if (filter === undefined) {
    process.stdout.write(`Unauthorized command: ${words.join(' ')}\n`);
    return UNAUTHORIZED;
  }
  const { argv: command, user, env } = filter.command(words);
  return spawnAsRoot(user === 'root' ? command : ['sudo', '-u', user, ...command], env);
}

function refuse(why: string, code: number): number {
  process.stdout.write(`${NAME}: ${why}\n`);
  return code;
}
