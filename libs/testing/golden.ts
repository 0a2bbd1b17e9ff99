import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

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

/** Where the recordings are: FOLSOM_GOLDEN, or `shared/golden` beside the repository. */
export const goldenDir = (): string =>
  process.env.FOLSOM_GOLDEN ??
  resolve(fileURLToPath(new URL('.', import.meta.url)), '..', '..', '..', 'shared', 'golden');

const warned = new Set<string>();

/** Whether a set's recordings are at hand; says so once, aloud, where they are not. For `describe.skipIf(!...)`. */
export function hasGolden(set: string): boolean {
  const there = existsSync(join(goldenDir(), set));
  if (!there && !warned.has(set)) {
    warned.add(set);
    console.warn(`skipped: no recordings of ${set} in ${goldenDir()} (set FOLSOM_GOLDEN)`);
  }
  return there;
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
