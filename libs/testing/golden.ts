import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const PACKED = '.jsonl.gz';

/** One side of a recorded exchange; headers as ordered pairs. `bodyEncoding: 'base64'` where binary. */
export interface GoldenRequest {
  method: string;
  path: string;
  headers: [string, string][];
  body: string;
  bodyEncoding?: string;
}

export interface GoldenResponse {
  status: number;
  reason: string;
  headers: [string, string][];
  body: string;
  bodyEncoding?: string;
}

export interface GoldenExchange {
  port: number;
  request: GoldenRequest;
  response: GoldenResponse;
}

/** A recorded scenario: a command of an original client, or raw HTTP where `command` is null. */
export interface GoldenScenario {
  /** File name without `.json`, e.g. `1000-get-os-services-demo`. */
  slug: string;
  scenario: string;
  command: string | null;
  exit: number | null;
  stdout: string;
  stderr: string;
  exchanges: GoldenExchange[];
  /** What a ring builder and its rings hold afterwards (ring-builder recordings only). */
  stateAfter?: unknown;
}

const RECORDINGS = fileURLToPath(new URL('../../test/golden/recordings/', import.meta.url));

/**
 * The recordings as files, SET/SCENARIO.json: FOLSOM_GOLDEN, or `test/golden/recordings` of the repository, unpacked on first use
 * into a folder named for what they hold.
 */
export function goldenDir(): string {
  const given = process.env.FOLSOM_GOLDEN;
  if (given !== undefined) return given;
  const packed = readdirSync(RECORDINGS).filter(name => name.endsWith(PACKED));
  const hash = createHash('sha256');
  for (const name of packed) hash.update(name).update(readFileSync(join(RECORDINGS, name)));
  const cache = fileURLToPath(new URL('../../.cache/', import.meta.url));
  const there = join(cache, `golden-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(there)) return there;
  // Several test processes may unpack at once: each does so aside, the first one's folder stays.
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(join(cache, 'unpacking-'));
  for (const name of packed) unpackSet(join(RECORDINGS, name), join(aside, name.slice(0, -PACKED.length)));
  try {
    renameSync(aside, there);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(there)) throw error;
  }
  return there;
}

function unpackSet(file: string, folder: string): void {
  mkdirSync(folder);
  for (const line of gunzipSync(readFileSync(file)).toString('utf8').split('\n')) {
    if (line === '') continue;
    const { slug, ...scenario } = JSON.parse(line) as GoldenScenario;
    writeFileSync(join(folder, `${slug}.json`), JSON.stringify(scenario));
  }
}

/** The scenarios of a set, e.g. `nova`, in the order in which they were recorded (numbers first, then names). */
export function readGolden(set: string, only?: (slug: string) => boolean): GoldenScenario[] {
  const dir = join(goldenDir(), set);
  return readdirSync(dir)
    .filter(name => name.endsWith('.json') && !name.startsWith('_'))
    .map(name => name.slice(0, -'.json'.length))
    .filter(slug => only?.(slug) ?? true)
    .sort(byNumberThenName)
    .map(
      slug => ({ slug, ...JSON.parse(readFileSync(join(dir, `${slug}.json`), 'utf8')) }) as GoldenScenario,
    );
}

function byNumberThenName(a: string, b: string): number {
  const left = Number.parseInt(a, 10);
  const right = Number.parseInt(b, 10);
  if (left !== right && !Number.isNaN(left) && !Number.isNaN(right)) return left - right;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The first value of a header, whatever its case. */
export const goldenHeader = (side: { headers: [string, string][] }, name: string): string | undefined =>
  side.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];

/** A body's bytes. */
export const goldenBody = (side: { body: string; bodyEncoding?: string }): Buffer =>
  Buffer.from(side.body, side.bodyEncoding === 'base64' ? 'base64' : 'utf8');
