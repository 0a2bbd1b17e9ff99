import { defineConfig } from 'vitest/config';

// Unit tests stand beside the code; suites that cross services stand in test/.
export default defineConfig({
  test: {
    include: ['libs/**/*.test.ts', 'services/**/*.test.ts', 'deploy/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    // Many suites wait for servers and guests rather than for the processor.
    maxWorkers: 3,
    // A shared machine can stall a guest or a broker once; a real defect fails both times.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: process.env.CI ? ['default'] : ['default'],
  },
});
