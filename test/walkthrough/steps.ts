import type { Clients2012 } from '@folsom/testing';
import { expect } from 'vitest';
import { normalise, normaliseUnordered, propertiesOf } from './printed.ts';

/** A shell session of the walk-through: the clients of 2012 with the variables exported so far. */
export interface Session {
  env: Record<string, string>;
  /** Runs a command that must succeed; resolves to what it printed. */
  run(argv: readonly string[], options?: { stdinFile?: string; timeoutMs?: number }): Promise<string>;
  /** Runs it and compares what it prints; resolves to the properties of the printed table. */
  prints(
    argv: readonly string[],
    expected: string,
    options?: { stdinFile?: string; unordered?: boolean },
  ): Promise<Record<string, string>>;
}

export function session(
  clients: Clients2012,
  options: { enter?: readonly string[]; cwd?: string } = {},
): Session {
  const self: Session = {
    env: {},
    run: async (argv, given = {}) => {
      const result = await clients.run(argv, self.env, { ...options, ...given });
      if (result.code !== 0) {
        throw new Error(`${argv.join(' ')} ended with ${result.code}\n${result.stdout}\n${result.stderr}`);
      }
      return result.stdout;
    },
    prints: async (argv, expected, given = {}) => {
      const { unordered, ...rest } = given;
      const printed = await self.run(argv, rest);
      const shape = unordered ? normaliseUnordered : normalise;
      expect(shape(printed), argv.join(' ')).toBe(shape(expected));
      return propertiesOf(printed);
    },
  };
  return self;
}
