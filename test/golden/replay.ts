import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The replayer: a program of its own, see `replayer/README.md`. */
const REPLAYER = fileURLToPath(new URL('./replayer/replay.mjs', import.meta.url));
/** What the recorders did without recording it. */
export const SETUPS = fileURLToPath(new URL('./replayer/setup/', import.meta.url));
const DIFFERENCES = new URL('./differences.md', import.meta.url);

/** What a recorder did without recording it: a step of the replayer's setup. */
export type Step = {
  request?: { port: number; method: string; path: string; body?: unknown; headers?: Record<string, string> };
  bind?: Record<string, string>;
  login?: unknown;
  token?: string;
  sleep?: number;
  hook?: string;
};

export interface Replayed {
  ok: string[];
  /** Scenarios whose answers are not the recorded ones. */
  differs: string[];
  /** All that the replayer printed: each difference with path, recorded and actual value. */
  output: string;
}

/**
 * Replays a folder of recordings against services of this test. `ports` says where a recorded port is served now, `setup` is a
 * file of steps, `hook` a command that is told when a service is to be set up otherwise, `settle` the seconds an answer may take
 * to become the recorded one, `known` those that never do.
 */
export async function replayRecordings(options: {
  folder: string;
  ports: Readonly<Record<number, number>>;
  setup: string;
  hook?: string;
  settle?: number;
  /** Scenarios that are listed as different: their answers are not waited for. */
  known?: ReadonlyMap<number, string>;
}): Promise<Replayed> {
  const args = [REPLAYER, options.folder, '--target', 'http://127.0.0.1', '--setup', options.setup];
  for (const [recorded, here] of Object.entries(options.ports)) args.push('--port', `${recorded}=${here}`);
  if (options.hook !== undefined) args.push('--hook', options.hook);
  if (options.settle !== undefined) args.push('--settle', String(options.settle));
  if (options.known) args.push('--known-differences', [...options.known.keys()].join(','));
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', chunk => {
    output += chunk;
  });
  await new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', done);
  });
  const of = (status: string) =>
    [...output.matchAll(new RegExp(`^${status}\\s+(\\d\\S*)`, 'gm'))].map(match => match[1]!);
  return { ok: of('ok'), differs: of('differs'), output };
}

/**
 * The scenarios that a section of differences.md lists, by their numbers, with the reason. A first column names one or several:
 * `176-no-host-header`, `135, 671, 672`, `009, 012, 014 to 019 (…)`.
 */
export function listedDifferences(section: string): Map<number, string> {
  const text = readFileSync(DIFFERENCES, 'utf8');
  const start = text.indexOf(`\n## ${section}\n`);
  const end = text.indexOf('\n## ', start + 1);
  const listed = new Map<number, string>();
  if (start < 0) return listed;
  for (const line of text.slice(start, end < 0 ? undefined : end).split('\n')) {
    const [, first, why] = /^\| (.+?) \| (.+) \|$/.exec(line) ?? [];
    if (first === undefined || why === undefined) continue;
    for (const [, from, to] of first.matchAll(/(?<![\w-])(\d{3,4})(?: to (\d{3,4}))?/g))
      for (let number = Number(from); number <= Number(to ?? from); number++) listed.set(number, why);
  }
  return listed;
}

const numberOf = (slug: string): number => Number.parseInt(slug, 10);

/** What differs without standing in the list, with the replayer's lines about it. */
export function unlisted(replayed: Replayed, listed: ReadonlyMap<number, string>): string[] {
  const lines = replayed.output.split('\n');
  return replayed.differs
    .filter(slug => !listed.has(numberOf(slug)))
    .map(slug => {
      const at = lines.findIndex(line => line.startsWith('differs') && line.includes(slug));
      const next = lines.findIndex((line, index) => index > at && !line.startsWith(' '));
      return lines.slice(at, Math.min(next < 0 ? at + 4 : next, at + 4)).join('\n');
    });
}

/** Listed scenarios that are answered as recorded after all: the list is to be shortened. */
export const listedInVain = (replayed: Replayed, listed: ReadonlyMap<number, string>): string[] =>
  replayed.ok.filter(slug => listed.has(numberOf(slug)));
