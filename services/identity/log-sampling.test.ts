import { createLogger } from '@folsom/core';
import { fakeClock } from '@folsom/testing';
import { expect, it } from 'vitest';
import { IDENTITY_LIMITS } from './limits.ts';
import { sampleFailures } from './log-sampling.ts';

it('writes some refused requests a second and counts the rest; everything else is written', async () => {
  const lines: { message: string; count?: number }[] = [];
  const clock = fakeClock();
  const log = sampleFailures(createLogger({ write: line => lines.push(JSON.parse(line)) }), clock).child({
    a: 1,
  });
  for (let i = 0; i < 1000; i++) log.info('request', { status: 401 });
  expect(lines).toHaveLength(IDENTITY_LIMITS.failuresLoggedPerSecond);
  log.info('request', { status: 200 });
  log.info('request', { status: 500 });
  log.error('x', { status: 401 });
  expect(lines).toHaveLength(IDENTITY_LIMITS.failuresLoggedPerSecond + 3);
  await clock.advance(1000);
  log.info('request', { status: 404 });
  expect(lines.at(-2)).toMatchObject({ message: 'refused requests not written one by one', count: 990 });
  expect(lines.at(-1)).toMatchObject({ message: 'request', status: 404 });
});
