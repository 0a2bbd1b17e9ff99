import { silentLogger, systemClock } from '@folsom/core';
import { confSection } from '@folsom/swift';
import { answer, InternalTimeout } from '@folsom/swift-http';
import { describe, expect, it } from 'vitest';
import { bestResponse, noteFailure } from './backend-write.ts';
import { nodeErrors, type ProxyCore, usableNodes } from './nodes.ts';
import { proxyOptions } from './options.ts';
import { testProxy } from './test-nodes.ts';

describe('errors of nodes', () => {
  const [server, other] = [
    { ip: '10.0.0.1', port: 6000, device: 'd1' },
    { ip: '10.0.0.2', port: 6000, device: 'd1' },
  ].map((node, id) => ({ ...node, id, zone: 1, weight: 1, meta: '' }));
  const observed = (nowMs: () => number) => {
    const errors = nodeErrors(proxyOptions(confSection({ error_suppression_limit: '2' })), {
      clock: { ...systemClock, monotonic: nowMs },
    });
    return { errors, core: { errors, log: silentLogger } as unknown as ProxyCore };
  };
  const late = new InternalTimeout('no answer in time');

  it('a server that gets on with other requests is slow, not dead', () => {
    let now = 0;
    const { errors, core } = observed(() => now);
    errors.heard(server!);
    for (let i = 0; i < 20; i++) expect(noteFailure(core, server!, 'PUT', late)).toBe(true);
    expect(errors.limited(server!)).toBe(false);
    // What is no matter of time counts all the same.
    for (let i = 0; i < 3; i++) expect(noteFailure(core, server!, 'PUT', new Error('reset'))).toBe(false);
    expect(errors.limited(server!)).toBe(true);
    now = 11_000;
    expect(noteFailure(core, server!, 'PUT', late)).toBe(false);
  });

  it('a server that nothing is heard of is dead', () => {
    const { errors, core } = observed(() => 0);
    errors.heard(server!);
    for (let i = 0; i < 3; i++) expect(noteFailure(core, other!, 'PUT', late)).toBe(false);
    expect(errors.limited(other!)).toBe(true);
  });
});

it("nodes are tried in the ring's order: primaries, then handoffs, without those that fail", () => {
  const [p1, p2, h1, h2, h3] = ['p1', 'p2', 'h1', 'h2', 'h3'].map((device, id) => {
    return { id, device, zone: id, ip: '10.0.0.1', port: 6000, weight: 1, meta: '' };
  });
  const failing = new Set<unknown>();
  const core = {
    log: silentLogger,
    options: { logHandoffs: false },
    errors: { limited: (node: unknown) => failing.has(node) },
    rings: { object: { handoffs: () => [h1, h2, h3] } },
  } as unknown as ProxyCore;
  const tried = () =>
    [...usableNodes(core, 'object', { partition: 1, nodes: [p1!, p2!] })].map(one => one.device);
  expect(tried()).toEqual(['p1', 'p2', 'h1', 'h2', 'h3']);
  failing.add(p1).add(h2);
  expect(tried()).toEqual(['p2', 'h1', 'h3']);
});

describe('quorum', () => {
  const answers = (...statuses: number[]) =>
    statuses.map(status => ({ status, reason: '', headers: new Map(), body: Buffer.alloc(0) }));
  const core = { log: silentLogger } as unknown as ProxyCore;
  it.each([
    [[201, 503], 503],
    [[201, 201], 201],
    [[201, 201, 503, 503], 503],
    [[201, 201, 201, 503], 201],
    [[201, 201, 404, 404], 503],
    [[404, 404, 404, 201], 404],
    [[201, 202, 503], 202],
    [[201], 201],
  ])('of %j is %i: more than half, never half', (statuses, expected) => {
    expect(bestResponse(answers(...statuses), 'test', core).status).toBe(expected);
  });

  it.each([
    [2, 1, 503],
    [2, 0, 201],
    [4, 2, 503],
    [4, 1, 201],
  ])('%i replicas, %i of them down, no handoffs: %i, small and large', async (replicas, down, expected) => {
    const proxy = await testProxy({ nodes: replicas, replicas });
    for (const node of proxy.nodes.slice(0, down)) await node.down();
    for (const size of [10, 200_000]) {
      expect((await proxy.ask('PUT', '/v1/a/c/o', {}, Buffer.alloc(size))).status).toBe(expected);
    }
    await proxy.stop();
  });
});

it.each([507, 503, 500])('what no node knows of just now is not said to be missing: %i', async failing => {
  const proxy = await testProxy();
  try {
    // Accounts and containers fail; the disks of objects are whole.
    for (const node of proxy.nodes) {
      node.objects.set('/a/c/o', { body: Buffer.from('x'), headers: new Map([['etag', 'e']]) });
      node.intercept = request => (request.target.split('/').length < 6 ? answer(failing, request) : null);
    }
    for (const method of ['PUT', 'POST', 'DELETE', 'COPY']) {
      const { status } = await proxy.ask(method, '/v1/a/c/o', { Destination: 'c/copy' });
      expect([method, status]).toEqual([method, 503]);
    }
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'])
      expect([method, (await proxy.ask(method, '/v1/a/c')).status]).toEqual([method, 503]);
    // A device that is full or broken is not asked for a while, for nothing.
    const read = (await proxy.ask('GET', '/v1/a/c/o')).text;
    if (failing !== 507) expect(read).toBe('x');
  } finally {
    await proxy.stop();
  }
});
