import { requestContext, seededRandom, silentLogger } from '@folsom/core';
import { createLocalBus } from '@folsom/rpc';
import { describe, expect, it } from 'vitest';
import { fakeClock, faultyBus, freePorts, goldenBody, readGolden } from './index.ts';

describe('the fake clock', () => {
  it('runs timers in order and only when time is moved', async () => {
    const clock = fakeClock();
    const seen: string[] = [];
    clock.after(200, () => seen.push('b'));
    clock.after(100, () => seen.push('a'));
    clock.every(150, () => seen.push('e')).cancel();
    void clock.sleep(300).then(() => seen.push('slept'));
    expect(seen).toEqual([]);
    await clock.advance(250);
    expect(seen).toEqual(['a', 'b']);
    await clock.advance(50);
    expect(seen).toEqual(['a', 'b', 'slept']);
    expect(clock.now()).toBe(Date.UTC(2012, 8, 27, 10) + 300);
  });

  it('repeats', async () => {
    const clock = fakeClock();
    let count = 0;
    const timer = clock.every(10, () => count++);
    await clock.advance(35);
    timer.cancel();
    await clock.advance(100);
    expect(count).toBe(3);
  });
});

describe('the faulty bus', () => {
  const run = async (seed: number) => {
    const clock = fakeClock();
    const inner = createLocalBus({ clock, random: seededRandom(1), log: silentLogger });
    const seen: number[] = [];
    await inner.serve({
      topic: 't',
      host: 'h',
      handlers: { go: (_c: unknown, args: { n: number }) => seen.push(args.n) } as never,
    });
    const bus = faultyBus(inner, { seed, clock, drop: 0.3, duplicate: 0.3, delay: 0.3, delayMs: 500 });
    for (let n = 0; n < 40; n++) void bus.cast(requestContext(), 't', { method: 'go', args: { n } });
    await clock.advance(1000);
    return { seen, injected: bus.injected };
  };

  it('does the same to the same messages by its seed', async () => {
    const first = await run(3);
    expect(first).toEqual(await run(3));
    expect(first).not.toEqual(await run(4));
    expect(new Set(first.injected.map(entry => entry.fault))).toEqual(
      new Set(['drop', 'duplicate', 'delay']),
    );
    expect(new Set(first.seen).size).toBeLessThan(40);
    expect(first.seen.length).toBeGreaterThan(new Set(first.seen).size);
  });

  it('lets a dropped call time out', async () => {
    const clock = fakeClock();
    const inner = createLocalBus({ clock, random: seededRandom(1), log: silentLogger });
    const bus = faultyBus(inner, { seed: 1, clock, drop: 1 });
    const call = bus.call(requestContext(), 't', { method: 'x', args: {} }, { timeoutMs: 100 });
    const checked = expect(call).rejects.toThrow('Timeout while waiting');
    await clock.advance(100);
    await checked;
  });
});

it('gives ports that are all different', async () => {
  expect(new Set(await freePorts(20)).size).toBe(20);
});

it('reads recordings in their order', () => {
  const scenarios = readGolden('keystone', slug => slug.startsWith('0'));
  expect(scenarios.length).toBeGreaterThan(10);
  expect([...scenarios].sort((a, b) => Number.parseInt(a.slug, 10) - Number.parseInt(b.slug, 10))).toEqual(
    scenarios,
  );
  const exchange = scenarios.flatMap(scenario => scenario.exchanges)[0]!;
  expect(goldenBody(exchange.response)).toBeInstanceOf(Buffer);
});
