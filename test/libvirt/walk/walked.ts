import { fileURLToPath } from 'node:url';
import { ownCloud } from '../own-cloud.ts';
import type { WalkResult } from './walk.ts';
import type { WalkerOptions } from './walker.ts';

const OUTSIDE = '192.0.2.20';

/** Starts `folsom up` with real guests on a host of its own, walks through it, and takes everything away. */
export async function walked(
  options: Omit<WalkerOptions, 'dir' | 'outside'> & {
    report(line: string): void;
    /** Leaves state and logs there where something was wrong. */
    keep?: boolean;
  },
): Promise<WalkResult> {
  const { report, keep = false, ...given } = options;
  const cloud = await ownCloud('wk', OUTSIDE);
  let wrong = 1;
  try {
    let last = '';
    const walker: WalkerOptions = { ...given, dir: cloud.state, outside: OUTSIDE };
    const script = fileURLToPath(new URL('./walker.ts', import.meta.url));
    await cloud.run(script, [JSON.stringify(walker)], line => {
      last = line;
      if (!line.startsWith('{')) report(line);
    });
    const result = JSON.parse(last) as WalkResult;
    wrong = result.wrong.length;
    return result;
  } finally {
    const kept = await cloud.remove(keep && wrong > 0);
    if (kept !== undefined) report(`kept: ${kept}`);
  }
}
