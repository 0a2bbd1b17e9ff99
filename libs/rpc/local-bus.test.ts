import { requestContext, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { expect, it } from 'vitest';
import { createLocalBus } from './local-bus.ts';

const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
const context = requestContext();

it('shares no memory between caller and handler', async () => {
  const bus = createLocalBus(world);
  const kept = { list: [1] };
  await bus.serve({
    topic: 't',
    host: 'h',
    handlers: {
      push: (_c: unknown, args: { x: { list: number[] } }) => {
        args.x.list.push(2);
        return kept;
      },
    } as never,
  });
  const mine = { list: [0] };
  const answer = await bus.call(context, 't', { method: 'push', args: { x: mine } });
  expect(mine).toEqual({ list: [0] });
  expect(answer).toEqual(kept);
  expect(answer).not.toBe(kept);
  await bus.close();
});

it('keeps messages until a worker comes', async () => {
  const bus = createLocalBus(world);
  await bus.cast(context, 'later.h', { method: 'go', args: {} });
  const seen = await new Promise(resolve => {
    void bus.serve({ topic: 'later', host: 'h', handlers: { go: () => resolve('came') } });
  });
  expect(seen).toBe('came');
  await bus.close();
});
