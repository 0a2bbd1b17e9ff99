import { EventEmitter } from 'node:events';
import { createLogger } from '@folsom/core';
import { fakeClock } from '@folsom/testing';
import { expect, it } from 'vitest';
import { callThreads } from './threads.ts';

/** A thread that answers when the test says so. */
class Thread extends EventEmitter {
  asked: [id: number, operation: string, values: unknown[]][] = [];
  ended = 0;
  postMessage(message: unknown): void {
    this.asked.push(message as Thread['asked'][number]);
  }
  answer(result: unknown): void {
    this.emit('message', [this.asked.at(-1)?.[0], null, result]);
  }
  ref(): void {}
  unref(): void {}
  async terminate(): Promise<number> {
    this.ended += 1;
    this.emit('exit', 1);
    return 1;
  }
}

function stand() {
  const clock = fakeClock();
  const started: Thread[] = [];
  const calls = callThreads({
    start: () => {
      const thread = new Thread();
      started.push(thread);
      return thread;
    },
    clock,
    log: createLogger({ level: 'error', write: () => {} }),
  });
  const names = () => started.map(({ asked }) => asked.map(([, , [name]]) => name));
  return { clock, started, calls, names };
}

it('a call that waited for others has its whole time, and none is given up for it', async () => {
  const { clock, started, calls } = stand();
  const made = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(name => calls.send(1000, 'create', [name]));
  // Each takes nine tenths of what it may; the last begins after nearly two of its own times.
  for (let round = 0; round < 3; round++) {
    await clock.advance(900);
    for (const thread of started) thread.answer(thread.asked.at(-1)?.[2][0]);
  }
  expect(await Promise.all(made)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  expect(started.map(({ ended }) => ended)).toEqual([0, 0, 0]);
});

it('nobody waits behind a call that takes long while another thread is free', async () => {
  const { started, calls, names } = stand();
  const moving = calls.send(1_000_000, 'migrate', ['moved']);
  const others = ['b', 'c', 'd', 'e', 'f'].map(name => calls.send(1000, 'create', [name]));
  for (let round = 0; round < 3; round++)
    for (const thread of started.slice(1)) thread.answer(thread.asked.at(-1)?.[2][0]);
  expect(await Promise.all(others)).toEqual(['b', 'c', 'd', 'e', 'f']);
  expect(names()[0]).toEqual(['moved']);
  started[0]?.answer('there');
  expect(await moving).toBe('there');
});

it('one that hangs is lost with its thread, once; those that wait are made by others', async () => {
  const { clock, started, calls, names } = stand();
  const hung = ['a', 'b', 'c'].map(name => calls.send(1000, 'create', [name]));
  const lost = Promise.all(hung.map(call => call.catch(error => error.lost)));
  const waits = calls.send(1000, 'create', ['d']);
  const asks = calls.send(1000, 'list', []);
  expect(names()).toEqual([['a'], ['b'], ['c'], [undefined]]);
  started[3]?.answer([]);
  expect(await asks).toEqual([]);
  await clock.advance(1000);
  expect(await lost).toEqual([true, true, true]);
  started.at(-1)?.answer('made');
  expect(await waits).toBe('made');
  expect(started.map(({ ended }) => ended)).toEqual([1, 1, 1, 0, 0]);
});

it('what waits when all is closed is told so', async () => {
  const { calls } = stand();
  const made = ['a', 'b', 'c', 'd'].map(name =>
    calls.send(1000, 'create', [name]).catch(error => error.lost),
  );
  await calls.close();
  expect(await Promise.all(made)).toEqual([true, true, true, true]);
});
