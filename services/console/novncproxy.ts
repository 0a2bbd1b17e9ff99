import { existsSync } from 'node:fs';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Config } from '@folsom/config';
import { adminContext, metricsOf, type RunningService, type World } from '@folsom/core';
import {
  canonicalTarget,
  type Guard,
  type HealthCheck,
  refuseBrokenRequests,
  refuseUpgrade,
  runChecks,
} from '@folsom/http';
import { novaOptions } from '@folsom/nova/options';
import { type ConsoleAccess, consoleauthContract } from '@folsom/nova/rpc/consoleauth';
import type { Bus } from '@folsom/rpc';
import { type WebSocket, WebSocketServer } from 'ws';
import { CONSOLE_GUARD, CONSOLE_LIMITS } from './limits.ts';
import { listen } from './listening.ts';
import { consoleMetrics } from './metrics.ts';
import { consoleOptions } from './options.ts';
import { originAllowed } from './origin.ts';
import { type StaticRoot, serveFile } from './static-files.ts';
import { httpOrHttps } from './tls-detect.ts';
import { connectVnc } from './vnc-connection.ts';
import { relay } from './websocket-relay.ts';

export interface NovncProxyOptions {
  config: Config;
  bus: Bus;
  world: World;
  limits?: Guard;
}

/** Starts nova-novncproxy: the page of a console, and the websocket from it to the guest's screen. */
export async function startNovncProxy(options: NovncProxyOptions): Promise<RunningService> {
  const { bus, config, limits = CONSOLE_GUARD } = options;
  const settings = config.of(novaOptions);
  const { clock } = options.world;
  const log = options.world.log.child({ service: 'nova-novncproxy' });
  const allowed = [settings.novncproxy_base_url, ...config.of(consoleOptions).console_allowed_origins];
  const roots = staticRoots(settings.web);
  const consoleauth = consoleauthContract.client(bus);
  const websockets = new WebSocketServer({
    noServer: true,
    maxPayload: CONSOLE_LIMITS.messageBytesMax,
    perMessageDeflate: false,
    handleProtocols: offered => (offered.has('binary') ? 'binary' : offered.has('base64') ? 'base64' : false),
  });
  const clients = new Set<WebSocket>();
  const metrics = metricsOf(options.world);
  metrics.declare(consoleMetrics);
  const count = (outcome: string) => metrics.add(consoleMetrics.asked, ['novnc', outcome]);
  const untold = metrics.read(consoleMetrics.open, () => [[['novnc'], clients.size]]);

  const admit = async (request: IncomingMessage): Promise<ConsoleAccess | number> => {
    if (!originAllowed(request.headers.origin, request.headers.host, allowed)) return 403;
    if (clients.size >= CONSOLE_LIMITS.connectionsMax) return 503;
    const token = tokenOf(request);
    if (token === undefined) return 400;
    const access = await consoleauth.check_token(adminContext(), { token });
    return access === null || access.console_type !== 'novnc' ? 401 : access;
  };

  const connect = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const fields: Record<string, unknown> = { client: request.socket.remoteAddress };
    socket.on('error', () => socket.destroy());
    try {
      const access = await admit(request);
      if (typeof access === 'number') {
        count('refused');
        log.warn('console refused', { ...fields, status: access, origin: request.headers.origin });
        return refuseUpgrade(socket, access);
      }
      fields.instance = access.instance_uuid;
      const vnc = await connectVnc(access);
      // Who has left meanwhile closes nothing any more.
      if (socket.destroyed) return void vnc.destroy();
      vnc.pause();
      websockets.handleUpgrade(request, socket, head, client => {
        clients.add(client);
        count('open');
        log.info('console opened', fields);
        void relay(client, vnc).then(() => {
          clients.delete(client);
          log.info('console closed', fields);
        });
      });
      // A handshake that fails closes the client's side alone.
      socket.once('close', () => vnc.destroy());
    } catch (error) {
      count('failed');
      log.error('console cannot be opened', { ...fields, why: (error as Error).message });
      refuseUpgrade(socket, 502);
    }
  };

  const attach = (server: HttpServer) => {
    refuseBrokenRequests(server);
    server.on('upgrade', (request, socket, head) => void connect(request, socket, head));
    server.on('request', (request, response) => {
      for (const [name, value] of Object.entries(PAGE_HEADERS)) response.setHeader(name, value);
      const started = clock.monotonic();
      response.once('finish', () => {
        const { statusCode: status } = response;
        const ms = Math.round(clock.monotonic() - started);
        // A page brings fifty scripts of the library with it.
        const asset = status < 400 && /^\/(core|vendor)\//.test(request.url ?? '');
        const { path, query } = canonicalTarget(request.url ?? '/');
        const fields = { method: request.method, path: path + query, status, ms };
        log[asset ? 'debug' : 'info']('request', fields);
      });
      const path = request.url?.split('?', 1)[0];
      if (path === '/healthz' || path === '/readyz')
        return answerHealth(path === '/readyz' ? bus : undefined, response);
      serveFile(request, response, roots).catch(() => response.destroy());
    });
  };
  const listening = await listen(
    httpOrHttps({ cert: settings.cert, key: settings.key, only: settings.ssl_only }, limits, attach),
    settings.novncproxy_host,
    settings.novncproxy_port,
  );
  log.info('novncproxy started', { address: listening.address });

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    untold();
    for (const client of clients) client.close(1001);
    await listening.stop();
  };
  return {
    name: 'nova-novncproxy',
    addresses: [listening.address],
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Horizon shows the page in a frame, so frames stay allowed; everything else is the page's own. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** The token of a websocket: in its address (our page), or in the cookie that pages of 2012 set. */
function tokenOf(request: IncomingMessage): string | undefined {
  const query = (request.url ?? '').split('?')[1];
  const fromQuery = query === undefined ? null : new URLSearchParams(query).get('token');
  const cookie = /(?:^|;\s*)token=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
  const token = fromQuery ?? cookie?.replace(/^"|"$/g, '');
  return token !== undefined && /^[\w-]{1,200}$/.test(token) ? token : undefined;
}

/** 200 when the proxy works; for readiness the bus must, too. */
function answerHealth(bus: Bus | undefined, response: ServerResponse): void {
  const checks: Record<string, HealthCheck> = bus ? { bus: () => bus.ready() } : {};
  void runChecks(checks).then(results => {
    const ready = Object.values(results).every(result => result === 'ok');
    response.writeHead(ready ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: ready ? 'ready' : 'not ready', checks: results }));
  });
}

/** An operator's own pages first (option `web`), then ours and the noVNC library. */
function staticRoots(web: string): StaticRoot[] {
  const library = dirname(dirname(createRequire(import.meta.url).resolve('@novnc/novnc')));
  return [
    ...(existsSync(join(web, 'vnc_auto.html')) ? [{ prefix: '/', directory: web }] : []),
    { prefix: '/', directory: fileURLToPath(new URL('./pages', import.meta.url)) },
    { prefix: '/core/', directory: join(library, 'core') },
    { prefix: '/vendor/', directory: join(library, 'vendor') },
  ];
}
