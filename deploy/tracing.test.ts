import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  NO_METRICS,
  requestContext,
  silentLogger,
  systemClock,
  systemRandom,
  type World,
} from '@folsom/core';
import { createApp } from '@folsom/http';
import { createLocalBus } from '@folsom/rpc';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Exporter, startExporter } from './tracing.ts';

interface Sent {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  status: { code: number; message?: string };
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
}
interface Batch {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: Sent[] }[];
  }[];
}

/** A collector that keeps what it is sent. */
const batches: Batch[] = [];
const paths: (string | undefined)[] = [];
const collector = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', chunk => chunks.push(chunk as Buffer));
  request.on('end', () => {
    paths.push(request.url);
    batches.push(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Batch);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
});
let exporter: Exporter;
let endpoint: string;
const spans = () =>
  batches.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(scope => scope.spans)),
  );
const spanNamed = (name: string) => spans().find(span => span.name === name)!;

beforeAll(async () => {
  await new Promise<void>(done => collector.listen(0, '127.0.0.1', done));
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  exporter = await startExporter(endpoint, 'nova-api');
});
afterAll(async () => {
  await exporter.stop();
  await new Promise(done => collector.close(done));
});

const WAIT = { timeout: 30_000, interval: 50 };
const GIVEN = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** An API that asks a daemon over the bus; the daemon tells what trace it is part of. */
async function small(world: World) {
  const bus = createLocalBus(world);
  const seen: (string | null)[] = [];
  await bus.serve({
    topic: 'compute',
    host: 'a',
    handlers: {
      look: context => {
        seen.push(context.traceparent);
        return null;
      },
      fail: () => {
        throw new Error('the host is on fire');
      },
    },
  });
  const app = createApp({
    name: 'nova-api',
    world,
    authenticate: null,
    renderFault: fault => ({ status: fault.status, headers: {}, body: fault.message }),
  });
  const { server } = app;
  for (const method of ['look', 'fail'])
    server.get(`/${method}`, { config: { name: `Do${method}` } }, async request => {
      const context = requestContext({ requestId: request.requestId, traceparent: request.traceparent });
      await bus.call(context, 'compute.a', { method, args: {} });
      return 'done';
    });
  const ask = (path: string, traceparent?: string) =>
    server.inject({ url: path, headers: traceparent === undefined ? {} : { traceparent } });
  return { seen, ask, bus };
}
const world = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: NO_METRICS };

it('a trace goes from the caller through REST and the bus, each part within the one before', async () => {
  const { seen, ask } = await small({ ...world, tracer: exporter.tracer });
  expect((await ask('/look', GIVEN)).statusCode).toBe(200);
  await vi.waitFor(() => expect(spans().length).toBeGreaterThanOrEqual(3), WAIT);
  const [api, call, work] = [
    spanNamed('nova-api Dolook'),
    spans().find(({ name, kind }) => name === 'compute look' && kind === 3)!,
    spans().find(({ name, kind }) => name === 'compute look' && kind === 5)!,
  ];
  for (const span of [api, call, work]) expect(span.traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  expect(api.parentSpanId).toBe('00f067aa0ba902b7');
  expect(call.parentSpanId).toBe(api.spanId);
  expect(work.parentSpanId).toBe(call.spanId);
  expect(seen).toEqual([`00-${api.traceId}-${work.spanId}-01`]);
  expect(api.attributes).toContainEqual({ key: 'http.response.status_code', value: { intValue: 200 } });
  expect(paths[0]).toBe('/v1/traces');
  expect(batches[0]!.resourceSpans[0]!.resource.attributes).toContainEqual({
    key: 'service.name',
    value: { stringValue: 'nova-api' },
  });
});

it('what fails says so, and nobody’s trace begins one', async () => {
  const { ask } = await small({ ...world, tracer: exporter.tracer });
  expect((await ask('/fail')).statusCode).toBe(500);
  await vi.waitFor(() => expect(spanNamed('nova-api Dofail')).toBeDefined(), WAIT);
  const api = spanNamed('nova-api Dofail');
  expect(api.parentSpanId ?? '').toBe('');
  expect(api.status.code).toBe(2);
  const work = spans().find(({ name, kind }) => name === 'compute fail' && kind === 5)!;
  expect(work.status).toMatchObject({ code: 2, message: 'the host is on fire' });
});

it('without a collector a trace is passed on as it came, and what is none is not', async () => {
  const { seen, ask } = await small(world);
  const others = ['', 'x', GIVEN.toUpperCase(), GIVEN.replace(/^00/, 'ff'), `${GIVEN}-more`, '00-0-0-0'];
  for (const given of [GIVEN, undefined, ...others]) await ask('/look', given);
  expect(seen).toEqual([GIVEN, ...[undefined, ...others].map(() => null)]);
});

it('a collector that is away is nobody’s trouble', async () => {
  const away = await startExporter('http://127.0.0.1:9/', 'nova-api', 500);
  away.tracer.start('x', 'internal', null, {}).end();
  await away.stop();
  await expect(startExporter('ftp://127.0.0.1', 'nova-api')).rejects.toThrow(/^otlp_endpoint: .* is no http/);
});
