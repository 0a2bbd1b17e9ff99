import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './test/slowest-first.ts';

// Unit tests stand beside the code; suites that cross services stand in test/.
export default defineConfig({
  test: {
    include: ['libs/**/*.test.ts', 'services/**/*.test.ts', 'deploy/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    coverage: { provider: 'v8' },
    sequence: { sequencer: SlowestFirst },
    // Many suites wait for servers and guests rather than for the processor.
    maxWorkers: Number(process.env.FOLSOM_WORKERS ?? 3),
    // Generous: a machine may do much else. Whoever waits, waits for a condition.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
  },
});
