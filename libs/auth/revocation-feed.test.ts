import { seededRandom, silentLogger } from '@folsom/core';
import { type FakeClock, fakeClock } from '@folsom/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RevocationNews, RevocationQuestion } from './keystone-client.ts';
import { type RevocationFeed, revocationFeed } from './revocation-feed.ts';
import { type Revocation, type RevocationList, revocationList } from './revocations.ts';

const HOLD_MS = 4_000;

let clock: FakeClock;
let list: RevocationList;
let feed: RevocationFeed | undefined;
let questions: RevocationQuestion[];

beforeEach(() => {
  clock = fakeClock();
  list = revocationList(clock);
  questions = [];
});
afterEach(() => feed?.stop());

const revocation = (subject: string): Revocation => ({
  kind: 'user',
  subject,
  issuedBefore: clock.now(),
  revokedAt: clock.now(),
  expires: clock.now() + 3_600_000,
});

async function follow(answer: (question: RevocationQuestion) => Promise<RevocationNews | null>) {
  const client = {
    revocations: (question: RevocationQuestion) => {
      questions.push(question);
      return answer(question);
    },
  };
  const world = { clock, random: seededRandom(1), log: silentLogger };
  feed = await revocationFeed({ client, list, bus: null, host: 'h', world });
  return feed;
}

/** Seconds in small steps, so that what is told in between is worked off. */
async function pass(seconds: number): Promise<void> {
  for (let step = 0; step < seconds * 10; step++) await clock.advance(100);
}

it('asks once in some seconds where the identity service waits for news, and knows them at once', async () => {
  const server = revocationList(clock, 'server');
  const followed = await follow(async ({ since, state }) => {
    if (state === server.state) {
      await new Promise<void>(resolve => {
        server.whenChanged(resolve);
        clock.after(HOLD_MS, resolve);
      });
    }
    return { list: server.since(since), state: server.state };
  });
  await pass(20);
  expect(questions.length).toBeLessThanOrEqual(7);
  expect(followed.followed()).toBe(true);
  await pass(1);
  server.add([revocation('u')]);
  await clock.advance(1);
  expect(list.size).toBe(1);
  // The next one, too, though the question has just been answered.
  server.add([revocation('v')]);
  await pass(1);
  expect(list.size).toBe(2);
});

it('asks within a second where the identity service answers at once, and rarely where it has no list', async () => {
  await follow(async () => ({ list: [], state: undefined }));
  await pass(6);
  expect(questions.length).toBeGreaterThanOrEqual(9);
  expect(questions.length).toBeLessThanOrEqual(12);
  await feed?.stop();
  questions = [];
  await follow(async () => null);
  await pass(30);
  expect(questions).toHaveLength(1);
});

it('a stop ends the question under way', async () => {
  const followed = await follow(async ({ state, signal }) => {
    if (state !== undefined)
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    return { list: [], state: 's' };
  });
  await pass(1);
  expect(questions).toHaveLength(2);
  await followed.stop();
  await pass(5);
  expect(questions).toHaveLength(2);
  expect(followed.followed()).toBe(true);
});

it('what waits for news is let go when its process stops', () => {
  const server = revocationList(clock, 'server');
  let told = 0;
  server.whenChanged(() => told++);
  const takeBack = server.whenChanged(() => told++);
  takeBack();
  server.release();
  server.whenChanged(() => told++);
  expect(told).toBe(2);
});
