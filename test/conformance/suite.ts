import { systemClock } from '@folsom/core';
import type { Answer, Ask, Target } from './target.ts';

/** What an answer must be: its status alone, or more of it. */
export type Wanted =
  | number
  | {
      /** One of them. */
      status: number | readonly number[];
      /** Null: must not be there. */
      headers?: Record<string, string | RegExp | null>;
      text?: string | RegExp;
      /** Lines of the body, in order. */
      lines?: readonly string[];
      /** The parsed body, picked over. */
      json?: (body: unknown) => unknown;
      /** What `json` must give. */
      equals?: unknown;
    };

/** One request of a case. Paths are below the account: `c/o`, `c`, or nothing for the account itself. */
export interface Step extends Ask {
  method: string;
  /** A name as users have it; `{c}` stands for the case's own container, which is there already. */
  path: string;
  /** The path is sent as it is, from the server's root. */
  raw?: boolean;
  want: Wanted;
  /** Made from the target just before the request is sent. */
  make?: (target: Target, path: string) => Promise<Ask & { path?: string }> | (Ask & { path?: string });
  /** Asked again until it is right: what becomes true in a moment. */
  eventually?: boolean;
  /** Who asks: by default the account's owner. */
  as?: 'other' | 'nobody';
}

/** What a store may lack; a case that needs it is left out then. */
export type Feature =
  | 'acl'
  | 'other user'
  | 'tempurl'
  | 'formpost'
  | 'staticweb'
  | 'versions'
  | 'expiry'
  | 'manifests';

export interface Case {
  name: string;
  needs?: readonly Feature[];
  /** Where swift 1.7.4 itself fails: how, and why nobody should do as it does. */
  original?: Original;
  steps: readonly Step[];
}

export interface Original {
  /** Its answer to the step that fails. */
  status: number;
  why: string;
}

export const step = (method: string, path: string, want: Wanted, ask: Partial<Step> = {}): Step => ({
  method,
  path,
  want,
  ...ask,
});

export type Outcome =
  | { case: string; result: 'passed' }
  | { case: string; result: 'failed'; why: string }
  /** As 1.7.4 has it, which is not as it should be. */
  | { case: string; result: 'as 1.7.4'; why: string }
  | { case: string; result: 'left out'; why: string };

/** Why an answer is not what it must be; null if it is. */
export function differs(want: Wanted, answer: Answer): string | null {
  const wanted = typeof want === 'number' ? { status: want } : want;
  const statuses = [wanted.status].flat();
  if (!statuses.includes(answer.status)) {
    return `${answer.status} instead of ${statuses.join(' or ')}: ${answer.text.slice(0, 120)}`;
  }
  if (typeof want === 'number') return null;
  for (const [name, value] of Object.entries(want.headers ?? {})) {
    const found = answer.headers[name.toLowerCase()];
    const right =
      value === null
        ? found === undefined
        : typeof value === 'string'
          ? found === value
          : value.test(found ?? '');
    if (!right) return `${name}: ${JSON.stringify(found)} instead of ${value}`;
  }
  const { text, lines } = want;
  if (text !== undefined && !(typeof text === 'string' ? text === answer.text : text.test(answer.text))) {
    return `body ${JSON.stringify(answer.text.slice(0, 200))} instead of ${text}`;
  }
  if (lines) {
    const found = answer.text.split('\n').slice(0, -1);
    if (JSON.stringify(found) !== JSON.stringify(lines)) {
      return `lines ${JSON.stringify(found)} instead of ${JSON.stringify(lines)}`;
    }
  }
  if (want.json) {
    let picked: unknown;
    try {
      picked = want.json(JSON.parse(answer.text));
    } catch (error) {
      return `body is no such JSON: ${(error as Error).message}`;
    }
    if (JSON.stringify(picked) !== JSON.stringify(want.equals)) {
      return `${JSON.stringify(picked)} instead of ${JSON.stringify(want.equals)}`;
    }
  }
  return null;
}

const PATIENCE_MS = 20_000;
const PAUSE_MS = 250;
const AT_ONCE = 6;

/** Runs cases, a few at a time, each in a container of its own that is removed afterwards. */
export async function runCases(
  target: Target,
  cases: readonly Case[],
  has: ReadonlySet<Feature>,
  told: (outcome: Outcome) => void = () => {},
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const left = cases.values();
  const worker = async () => {
    for (const one of left) {
      const lacking = (one.needs ?? []).filter(feature => !has.has(feature));
      const outcome: Outcome = lacking.length
        ? { case: one.name, result: 'left out', why: `the target has no ${lacking.join(', ')}` }
        : await runCase(target, one);
      outcomes.push(outcome);
      told(outcome);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcomes;
}

async function runCase(target: Target, one: Case): Promise<Outcome> {
  const container = target.freshName();
  try {
    await target.mustDo('PUT', container);
    for (const [index, each] of one.steps.entries()) {
      const wrong = await runStep(target, each, container);
      if (wrong) {
        const why = `step ${index + 1}, ${each.method} ${each.path}: ${wrong.why}`;
        return one.original?.status === wrong.status
          ? { case: one.name, result: 'as 1.7.4', why: `${wrong.status}: ${one.original.why}` }
          : { case: one.name, result: 'failed', why };
      }
    }
    return { case: one.name, result: 'passed' };
  } catch (error) {
    return { case: one.name, result: 'failed', why: (error as Error).message };
  } finally {
    await target.sweep(container);
  }
}

/** Puts the case's container where `{c}` stands, in texts however deep. */
function filled<T>(value: T, container: string): T {
  if (typeof value === 'string') return value.replaceAll('{c}', container) as T;
  if (value instanceof RegExp) return new RegExp(value.source.replaceAll('{c}', container), value.flags) as T;
  if (Array.isArray(value)) return value.map(one => filled(one, container)) as T;
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one, container)])) as T;
}

async function runStep(
  target: Target,
  given: Step,
  container: string,
): Promise<{ status: number; why: string } | null> {
  const { make, ...rest } = given;
  const step = filled(rest, container);
  const until = systemClock.now() + (step.eventually ? PATIENCE_MS : 0);
  for (;;) {
    const made = await make?.(target, step.path);
    const answer = await target.ask(step.method, made?.path ?? step.path, {
      ...step,
      ...made,
      headers: { ...step.headers, ...made?.headers },
      raw: step.raw ?? made?.path !== undefined,
    });
    const why = differs(step.want, answer);
    if (!why) return null;
    if (systemClock.now() >= until) return { status: answer.status, why };
    await systemClock.sleep(PAUSE_MS);
  }
}
