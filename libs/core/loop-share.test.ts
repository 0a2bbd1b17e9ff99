import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type LoopShare, loopShare } from './loop-share.ts';

const SHARE = 10;

/** A loop in which time passes by work alone. */
function busyLoop() {
  let now = 0;
  const done: string[] = [];
  const share = loopShare({ now: () => now, shareMs: SHARE });
  const chain = async (name: string, pieces: number) => {
    for (let piece = 0; piece < pieces; piece++) {
      await share.turn();
      now += 1;
      done.push(name);
    }
  };
  return { share, done, chain };
}

/** How many pieces were done in each turn of the loop until all work is done. */
async function byTurn(done: readonly string[], work: Promise<unknown>): Promise<string[][]> {
  const turns: string[][] = [];
  let ended = false;
  void work.then(() => {
    ended = true;
  });
  for (let seen = 0; !ended; seen = done.length) {
    await turnOfTheLoop();
    turns.push(done.slice(seen));
  }
  return turns;
}

const many = (count: number, start: (at: number) => Promise<void>) =>
  Promise.all(Array.from({ length: count }, (_, at) => start(at)));

test('without others work goes on at once', () => {
  const { share } = busyLoop();
  expect(share.turn()).toBeUndefined();
});

test('a turn of the loop ends, however much work never waits', async () => {
  const { done, chain } = busyLoop();
  const turns = await byTurn(
    done,
    many(20, () => chain('request', 50)),
  );
  expect(done).toHaveLength(20 * 50);
  // Those who ask in the same moment are let go on together, at the start.
  for (const turn of turns) expect(turn.length).toBeLessThanOrEqual(20 + 2 * (SHARE + 1));
});

test('a request is answered while much background work is under way, which goes on', async () => {
  const { share, done, chain } = busyLoop();
  const background = many(100, () => share.background(() => chain('background', 50)));
  await turnOfTheLoop();
  const turns = await byTurn(done, chain('request', 20));
  expect(turns.length).toBeLessThanOrEqual(5);
  expect(turns.flat().filter(name => name === 'request')).toHaveLength(20);
  expect(turns.flat()).toContain('background');
  await background;
  expect(done).toHaveLength(100 * 50 + 20);
});

test('background work has its part of each turn, however many requests there are', async () => {
  const { share, done, chain } = busyLoop();
  const requests = many(100, () => chain('request', 50));
  const turns = await byTurn(
    done,
    share.background(() => chain('background', 50)),
  );
  expect(turns.length).toBeLessThanOrEqual(10);
  await requests;
});

test('background work that began first is finished first; requests take turns', async () => {
  const { share, done, chain } = busyLoop();
  const ended: string[] = [];
  const noted = (name: string, run: (share: LoopShare) => Promise<void>) =>
    run(share).then(() => void ended.push(name));
  await many(10, at => noted(`message ${at}`, on => on.background(() => chain('background', 30))));
  expect(ended).toEqual(Array.from({ length: 10 }, (_, at) => `message ${at}`));
  done.length = 0;
  await many(4, at => chain(`request ${at}`, 30));
  const half = new Set(done.slice(0, done.length / 2));
  expect(half.size).toBe(4);
});

test('on a machine so slow that every turn is over at once, one after the other goes on', async () => {
  let now = 0;
  const share = loopShare({
    now: () => {
      now += 10 * SHARE;
      return now;
    },
    shareMs: SHARE,
  });
  let done = 0;
  const chain = async (pieces: number) => {
    for (let piece = 0; piece < pieces; piece++) {
      await share.turn();
      done += 1;
    }
  };
  const all = many(5, () => share.background(() => chain(10)));
  for (let turn = 0; turn < 50 && done < 50; turn++) {
    expect(share.busy).toBe(true);
    await turnOfTheLoop();
  }
  await all;
  expect(done).toBe(50);
  expect(share.busy).toBe(false);
});
