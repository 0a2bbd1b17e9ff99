import { createServer } from 'node:http';
import { noteListener } from '@folsom/core';
import { collectDefaultMetrics, type Histogram, Histogram as PromHistogram, Registry } from 'prom-client';
import { GUARD, guard, guardedSettings } from './guard.ts';
import { refuseBrokenRequests } from './in-flight.ts';
import { explainListen } from './listen-error.ts';
import { canonicalTarget } from './target.ts';

/** Counts and durations of requests by service, method, route pattern and status; never by id. */
export interface HttpMetrics {
  registry: Registry;
  observe(service: string, method: string, route: string, status: number, seconds: number): void;
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** One registry may serve every application of a process. */
export function httpMetrics(registry: Registry = new Registry()): HttpMetrics {
  const name = 'folsom_http_request_seconds';
  const histogram =
    (registry.getSingleMetric(name) as Histogram | undefined) ??
    new PromHistogram({
      name,
      help: 'Duration of HTTP requests in seconds.',
      labelNames: ['service', 'method', 'route', 'status'],
      buckets: BUCKETS_SECONDS,
      registers: [registry],
    });
  return {
    registry,
    observe: (service, method, route, status, seconds) =>
      histogram.observe({ service, method, route, status: String(status) }, seconds),
  };
}

/** Serves `/metrics` in Prometheus' text form on a port of its own. Resolves to the address and a stop function. */
export async function serveMetrics(
  registry: Registry,
  at: { host: string; port: number },
  limits = GUARD,
): Promise<{ address: string; stop(): Promise<void> }> {
  collectDefaultMetrics({ register: registry });
  const server = createServer(guardedSettings(limits), (request, response) => {
    if (request.method !== 'GET' || canonicalTarget(request.url ?? '').path !== '/metrics') {
      response.writeHead(404, { 'content-length': '0' }).end();
      return;
    }
    registry.metrics().then(
      text => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500, { 'content-length': '0' }).end(),
    );
  });
  refuseBrokenRequests(server);
  guard(server, limits);
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(explainListen(error, 'metrics', at.host, at.port)));
    server.listen(at.port, at.host, resolve);
  });
  noteListener(server);
  const address = server.address();
  return {
    address: `${at.host}:${typeof address === 'object' && address ? address.port : at.port}`,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
