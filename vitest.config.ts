import { defineConfig } from 'vitest/config';

// Unit tests stand beside the code; suites that cross services stand in test/.
export default defineConfig({
  test: {
    include: ['libs/**/*.test.ts', 'services/**/*.test.ts', 'deploy/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    // Many suites wait for servers and guests rather than for the processor.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
