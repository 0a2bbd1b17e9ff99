import { createServer } from 'node:http';
import { histogram, noteListener } from '@folsom/core';
import { GUARD, guard, guardedSettings } from './guard.ts';
import { refuseBrokenRequests } from './in-flight.ts';
import { explainListen } from './listen-error.ts';
import type { MetricsRegistry } from './metrics-registry.ts';
import { canonicalTarget } from './target.ts';

export const httpMetrics = {
  requests: histogram(
    'folsom_http_request_seconds',
    'Duration of requests to the APIs, by operation and status of the answer.',
    ['service', 'operation', 'status'],
  ),
};

/** Serves `/metrics` in Prometheus' text form on a port of its own. Resolves to the address and a stop function. */
export async function serveMetrics(
  registry: MetricsRegistry,
  at: { host: string; port: number },
  limits = GUARD,
): Promise<{ address: string; stop(): Promise<void> }> {
  const server = createServer(guardedSettings(limits), (request, response) => {
    if (request.method !== 'GET' || canonicalTarget(request.url ?? '').path !== '/metrics') {
      response.writeHead(404, { 'content-length': '0' }).end();
      return;
    }
    registry.text().then(
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
  // Nothing goes on for its sake.
  server.unref();
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
