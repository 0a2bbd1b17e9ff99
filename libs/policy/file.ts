import { readFileSync, statSync } from 'node:fs';
import type { Clock, Logger } from '@folsom/core';
import { loadPolicy, type Policy } from './policy.ts';

/** How often at most the file is looked at, in milliseconds. */
const LOOK_EVERY_MS = 1_000;

/**
 * A policy kept in a file: read now, and again when the file changes. A changed file that cannot be read is reported once
 * and the rules before stay in force.
 *
 * @throws PolicyError or the file system's error when the first reading fails.
 */
export function policyFile(
  path: string,
  options: { clock: Clock; log: Logger; defaultRule?: string },
): Policy {
  const read = () => loadPolicy(readFileSync(path, 'utf8'), options.defaultRule);
  const stamp = () => {
    const { mtimeMs, size } = statSync(path);
    return `${mtimeMs}:${size}`;
  };
  let seen = stamp();
  let policy = read();
  let lookedAt = options.clock.monotonic();
  const current = (): Policy => {
    const now = options.clock.monotonic();
    if (now - lookedAt < LOOK_EVERY_MS) return policy;
    lookedAt = now;
    try {
      const found = stamp();
      if (found !== seen) {
        seen = found;
        policy = read();
        options.log.info('policy file read again', { path });
      }
    } catch (error) {
      options.log.warn('policy file cannot be read; the rules before stay in force', { path, error });
    }
    return policy;
  };
  return {
    check: (action, target, context) => current().check(action, target, context),
    has: action => current().has(action),
    get rules() {
      return current().rules;
    },
  };
}
