import { expect } from 'vitest';

/** How long a condition may take on a machine that does much else. */
const EVENTUALLY_MS = 30_000;

/** Expects something of a value as soon as it holds: `await eventually(() => rows()).toHaveLength(1)`. */
export const eventually = <T>(value: () => T | Promise<T>) => expect.poll(value, { timeout: EVENTUALLY_MS });
