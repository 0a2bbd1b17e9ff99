import { Fault, type RequestContext, requestContext, systemClock } from '@folsom/core';
import type { Bus, Handler, Served } from '@folsom/rpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './eventually.ts';

/** What a bus implementation brings to the suite that every one of them must pass. */
export interface BusHarness {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A bus as another process would have it. Closed by the suite. */
  bus(): Bus;
  /** One that shares nothing with the others; where absent, `bus` gives such. */
  ownBus?: () => Bus;
  /**
   * A worker of another process. Its `slow` casts `begun` to the topic `observer` and never ends. `kill` ends the
   * process without a word.
   */
  victim(topic: string): Promise<{ kill(): Promise<void> }>;
  /** Restarts the broker; absent where there is none. */
  restartBroker?: () => Promise<void>;
}

const handlers = <T>(table: Record<string, (context: RequestContext, args: T) => unknown>) =>
  table as unknown as Record<string, Handler>;

const context = requestContext({
  userId: 'user',
  projectId: 'project',
  roles: ['Member'],
  authToken: 'token',
  serviceCatalog: [{ type: 'volume' }],
});

/** Declares the suite; call it from a test file of the implementation. */
export function describeBus(name: string, harness: BusHarness): void {
  describe(`${name} bus`, () => {
    const buses: Bus[] = [];
    const made = (): Bus => {
      const bus = harness.bus();
      buses.push(bus);
      return bus;
    };
    let caller: Bus;
    let topics = 0;
    const topic = () => `t${++topics}`;
    const call = (to: string, method: string, args: Record<string, unknown> = {}, more = {}) =>
      caller.call(context, to, { method, args, ...more });

    beforeAll(async () => {
      await harness.start();
      caller = made();
      await caller.ready();
    }, 240_000);
    afterAll(async () => {
      for (const bus of buses) await bus.close();
      await harness.stop();
    }, 240_000);

    it('answers a call and carries arguments, result and context', async () => {
      const t = topic();
      await made().serve({
        topic: t,
        host: 'h',
        handlers: handlers<{ x: unknown }>({ echo: (given, args) => ({ given, x: args.x }) }),
      });
      const x = { list: [1, 2.5, null, 'täxt', true], deep: { a: '' } };
      expect(await call(t, 'echo', { x })).toEqual({ given: context, x });
    });

    it('answers null for a handler that gives nothing', async () => {
      const t = topic();
      await made().serve({ topic: t, host: 'h', handlers: { nothing: () => undefined } });
      expect(await call(t, 'nothing')).toBeNull();
    });

    it('carries a large message both ways', async () => {
      const t = topic();
      await made().serve({
        topic: t,
        host: 'h',
        handlers: handlers<{ x: string }>({ echo: (_, { x }) => x }),
      });
      const x = 'y'.repeat(2_000_000);
      expect(await call(t, 'echo', { x })).toBe(x);
    });

    it('shares a topic among its workers in turn, and finds one host', async () => {
      const t = topic();
      for (const host of ['a', 'b']) await made().serve({ topic: t, host, handlers: { who: () => host } });
      const answers: unknown[] = [];
      for (let i = 0; i < 20; i++) answers.push(await call(t, 'who'));
      expect(answers.filter(host => host === 'a')).toHaveLength(10);
      for (let i = 0; i < 3; i++) expect(await call(`${t}.b`, 'who')).toBe('b');
    });

    it('brings a fan-out to every worker', async () => {
      const t = topic();
      const seen: string[] = [];
      for (const host of ['a', 'b', 'c']) {
        await made().serve({ topic: t, host, handlers: { tell: () => void seen.push(host) } });
      }
      await caller.fanout(context, t, { method: 'tell', args: {} });
      await eventually(() => seen.sort()).toEqual(['a', 'b', 'c']);
      await caller.fanout(context, 'nobody-listens', { method: 'tell', args: {} });
    });

    it('runs a cast, and one sent before its worker is there', async () => {
      const t = topic();
      const seen: unknown[] = [];
      await caller.cast(context, t, { method: 'go', args: { n: 1 } });
      const go = handlers<{ n: number }>({ go: (_, { n }) => void seen.push(n) });
      await made().serve({ topic: t, host: 'h', handlers: go });
      await caller.cast(context, t, { method: 'go', args: { n: 2 } });
      await eventually(() => [...seen].sort()).toEqual([1, 2]);
    });

    it('brings a fault back under its name, with status, text and values', async () => {
      const t = topic();
      await made().serve({
        topic: t,
        host: 'h',
        handlers: {
          fail: () => {
            throw new Fault('InstanceNotFound', 404, 'Instance 7 could not be found.', {
              values: { instance_id: '7' },
            });
          },
        },
      });
      const error = await call(t, 'fail').catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(Fault);
      expect(error).toMatchObject({
        name: 'InstanceNotFound',
        status: 404,
        message: 'Instance 7 could not be found.',
        values: { instance_id: '7' },
      });
    });

    it('turns anything else that is thrown into RemoteError, and goes on', async () => {
      const t = topic();
      await made().serve({
        topic: t,
        host: 'h',
        handlers: {
          bug: () => {
            throw new TypeError('inner text');
          },
          circular: () => {
            const loop: Record<string, unknown> = {};
            loop.self = loop;
            return loop;
          },
          fine: () => 'fine',
        },
      });
      await expect(call(t, 'bug')).rejects.toMatchObject({ name: 'RemoteError', status: 500 });
      await expect(call(t, 'circular')).rejects.toMatchObject({ name: 'RemoteError' });
      expect(await call(t, 'fine')).toBe('fine');
    });

    it('refuses versions it does not serve and methods it does not have', async () => {
      const t = topic();
      await made().serve({ topic: t, host: 'h', version: '2.2', handlers: { go: () => 'went' } });
      expect(await call(t, 'go', {}, { version: '2.1' })).toBe('went');
      for (const more of [{ version: '2.3' }, { version: '3.0' }, {}]) {
        await expect(call(t, 'go', {}, more)).rejects.toMatchObject({ name: 'UnsupportedRpcVersion' });
      }
      for (const method of ['gone', 'constructor', '__proto__', 'toString']) {
        await expect(call(t, method, {}, { version: '2.0' })).rejects.toMatchObject({
          name: 'RemoteError',
          values: { value: `No such RPC function '${method}'` },
        });
      }
    });

    it('gives up on a call in time, and keeps its late answer away from the next', async () => {
      const t = topic();
      const [late, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      let begun = 0;
      await made().serve({
        topic: t,
        host: 'h',
        handlers: handlers<{ x: number }>({
          echo: async (_, { x }) => {
            begun++;
            await (x === 1 ? late : others).promise;
            return x;
          },
        }),
      });
      const first = caller.call(context, t, { method: 'echo', args: { x: 1 } }, { timeoutMs: 1000 });
      await expect(first).rejects.toMatchObject({ name: 'RpcTimeout' });
      const next = [2, 3, 4].map(x => call(t, 'echo', { x }));
      await eventually(() => begun).toBe(4);
      late.resolve();
      expect(await call(t, 'echo', { x: 1 })).toBe(1);
      others.resolve();
      expect(await Promise.all(next)).toEqual([2, 3, 4]);
      const nobody = caller.call(context, 'nobody', { method: 'x', args: {} }, { timeoutMs: 50 });
      await expect(nobody).rejects.toMatchObject({ name: 'RpcTimeout' });
    });

    it('does not begin a call that nobody waits for any more', async () => {
      const t = topic();
      let begun = 0;
      const waited = caller.call(context, t, { method: 'go', args: {} }, { timeoutMs: 50 });
      await expect(waited).rejects.toMatchObject({ name: 'RpcTimeout' });
      // A broker counts from when it has got the message.
      await systemClock.sleep(1000);
      await made().serve({ topic: t, host: 'h', handlers: { go: () => ++begun, ping: () => 'pong' } });
      expect(await call(t, 'ping')).toBe('pong');
      expect(begun).toBe(0);
    });

    it('stops after the handlers in flight, and leaves the rest to others', async () => {
      const t = topic();
      let ended = 0;
      const [begun, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const slow = async () => {
        begun.resolve();
        await release.promise;
        return ++ended;
      };
      const served: Served = await made().serve({ topic: t, host: 'a', handlers: { slow, who: () => 'a' } });
      const answer = call(t, 'slow');
      await begun.promise;
      const stopped = [served.stop(), served.stop()];
      expect(ended).toBe(0);
      release.resolve();
      await Promise.all(stopped);
      expect(ended).toBe(1);
      expect(await answer).toBe(1);
      await made().serve({ topic: t, host: 'b', handlers: { who: () => 'b' } });
      for (let i = 0; i < 4; i++) expect(await call(t, 'who')).toBe('b');
    });

    it('carries 1,000 calls at once', async () => {
      const t = topic();
      await made().serve({
        topic: t,
        host: 'h',
        handlers: handlers<{ n: number }>({
          twice: async (_, { n }) => {
            await systemClock.sleep(n % 7);
            return n * 2;
          },
        }),
      });
      const started = systemClock.monotonic();
      const numbers = Array.from({ length: 1000 }, (_, n) => n);
      expect(await Promise.all(numbers.map(n => call(t, 'twice', { n })))).toEqual(numbers.map(n => n * 2));
      console.info(`${name}: 1,000 parallel calls in ${Math.round(systemClock.monotonic() - started)} ms`);
      const alone = systemClock.monotonic();
      for (let i = 0; i < 100; i++) await call(t, 'twice', { n: 0 });
      console.info(`${name}: one call takes ${((systemClock.monotonic() - alone) / 100).toFixed(2)} ms`);
    }, 240_000);

    it('gives the work of a killed worker to another', async () => {
      const t = topic();
      const begun = Promise.withResolvers<void>();
      const observer = await made().serve({
        topic: 'observer',
        host: 'h',
        handlers: { begun: () => begun.resolve() },
      });
      const victim = await harness.victim(t);
      const answer = call(t, 'slow');
      await begun.promise;
      await made().serve({ topic: t, host: 'b', handlers: { slow: () => 'done by another' } });
      await victim.kill();
      expect(await answer).toBe('done by another');
      await observer.stop();
    }, 240_000);

    const { restartBroker } = harness;
    if (restartBroker !== undefined) {
      it('survives a restart of its broker', async () => {
        const t = topic();
        const release = Promise.withResolvers<void>();
        let begun = 0;
        await made().serve({
          topic: t,
          host: 'h',
          handlers: handlers<{ x: number }>({
            echo: (_, { x }) => x,
            long: async () => {
              begun++;
              await release.promise;
              return 'over the restart';
            },
          }),
        });
        const long = call(t, 'long');
        await eventually(() => begun).toBe(1);
        const restarted = restartBroker();
        const during = systemClock.sleep(500).then(() => call(t, 'echo', { x: 1 }));
        await restarted;
        expect(await during).toBe(1);
        expect(await call(t, 'echo', { x: 2 })).toBe(2);
        release.resolve();
        expect(await long).toBe('over the restart');
        expect(begun).toBe(1);
      }, 240_000);
    }

    it('refuses work once it is closed', async () => {
      const bus = (harness.ownBus ?? harness.bus)();
      await bus.ready();
      const waiting = bus.call(context, 'nobody', { method: 'x', args: {} });
      const checked = expect(waiting).rejects.toBeInstanceOf(Fault);
      await bus.close();
      await bus.close();
      await checked;
      await expect(bus.cast(context, 't', { method: 'x', args: {} })).rejects.toMatchObject({
        name: 'RpcClosed',
      });
      await expect(bus.ready()).rejects.toMatchObject({ name: 'RpcClosed' });
    });
  });
}
