import { systemClock } from '@folsom/core';
import { BATCH_HEADER, BATCH_METHOD, type BatchedRequest } from '@folsom/swift';
import { bodyOf, type InternalClient, type InternalResponse } from '@folsom/swift-http';
import { expect, it } from 'vitest';
import { updateSender } from './update-sender.ts';

type Call = Parameters<InternalClient['request']>[1];

const target = { ip: '10.0.0.1', port: 6001 };
const update = (object: string): BatchedRequest => ['PUT', `/sda/1/a/c/${object}`, { 'x-size': '1' }];

function response(status: number, text: string, batches: boolean): InternalResponse {
  const body = Buffer.from(text);
  return {
    status,
    reason: '',
    headers: new Map(batches ? [[BATCH_HEADER, 'true']] : []),
    body: bodyOf(body),
    whole: body,
  };
}

/** A sender to a server that answers each call when it is told to. */
function setUp() {
  const calls: { call: Call; answer(response: InternalResponse): void; fail(error: Error): void }[] = [];
  const client: InternalClient = {
    request: (_target, call) =>
      new Promise((answer, fail) => {
        calls.push({ call, answer, fail });
      }),
    open: () => Promise.reject(new Error('no uploads here')),
    close: () => {},
  };
  const sender = updateSender(client, { connectTimeoutMs: 500, timeoutMs: 3000 }, systemClock);
  const learn = async (batches: boolean) => {
    const first = sender.send(target, update('first'));
    calls.shift()!.answer(response(201, '', batches));
    expect(await first).toBe(201);
  };
  const named = (call: Call) =>
    (JSON.parse(call.body!.toString()) as BatchedRequest[]).map(([, path]) => path);
  return { calls, sender, learn, named };
}

it('a server that says nothing of batches is told one by one', async () => {
  const { calls, sender, learn } = setUp();
  await learn(false);
  const both = Promise.all([sender.send(target, update('x')), sender.send(target, update('y'))]);
  expect(calls.map(({ call }) => [call.method, call.path])).toEqual([
    ['PUT', '/sda/1/a/c/x'],
    ['PUT', '/sda/1/a/c/y'],
  ]);
  for (const { answer } of calls) answer(response(201, '', false));
  expect(await both).toEqual([201, 201]);
});

it('what comes while an answer is awaited goes together', async () => {
  const { calls, sender, learn, named } = setUp();
  await learn(true);
  const all = Promise.all(['a', 'b', 'c', 'd'].map(name => sender.send(target, update(name))));
  expect(calls.map(({ call }) => [call.method, named(call)])).toEqual([[BATCH_METHOD, ['/sda/1/a/c/a']]]);
  calls.shift()!.answer(response(200, '[201]', false));
  await expect.poll(() => calls.length).toBe(1);
  expect(named(calls[0]!.call)).toEqual(['/sda/1/a/c/b', '/sda/1/a/c/c', '/sda/1/a/c/d']);
  // The second is to come by itself.
  calls.shift()!.answer(response(200, '[204,503,404]', false));
  await expect.poll(() => calls.length).toBe(1);
  expect(calls[0]!.call.path).toBe('/sda/1/a/c/c');
  calls.shift()!.answer(response(202, '', true));
  expect(await all).toEqual([201, 204, 202, 404]);
});

it('a slow answer does not hold up those who come after it', async () => {
  const { calls, sender, learn, named } = setUp();
  await learn(true);
  const slow = sender.send(target, update('slow'));
  const next = sender.send(target, update('next'));
  await expect.poll(() => calls.length).toBe(2);
  expect(named(calls[1]!.call)).toEqual(['/sda/1/a/c/next']);
  calls[1]!.answer(response(200, '[201]', false));
  expect(await next).toBe(201);
  calls[0]!.fail(new Error('no answer'));
  await expect(slow).rejects.toThrow('no answer');
});

it('a server that knows batches no more is told one by one again', async () => {
  const { calls, sender, learn } = setUp();
  await learn(true);
  const first = sender.send(target, update('a'));
  calls.shift()!.answer(response(405, 'Method Not Allowed', false));
  await expect.poll(() => calls.length).toBe(1);
  const second = sender.send(target, update('b'));
  expect(calls.map(({ call }) => call.method)).toEqual(['PUT', 'PUT']);
  for (const { answer } of calls) answer(response(201, '', false));
  expect([await first, await second]).toEqual([201, 201]);
});
