import { defineConfig } from 'vitest/config';
import whole from './vitest.config.ts';

// `npm run test:console`: the console's tests, those that take too long for every run among them.
export default defineConfig({
  test: {
    ...whole.test,
    include: ['test/console/*.{test,more}.ts', 'services/console-web/*.test.ts'],
    // One cloud at a time: they use the same ports.
    fileParallelism: false,
  },
});
