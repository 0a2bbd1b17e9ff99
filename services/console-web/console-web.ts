import type { Config } from '@folsom/config';
import type { RunningService, World } from '@folsom/core';
import { type App, createApp } from '@folsom/http';
import { operatorDoor } from '@folsom/outbound';
import { failures } from './failures.ts';
import { fault, renderFault } from './faults.ts';
import { checkSameSite, checkToken } from './guard.ts';
import { keystone } from './keystone.ts';
import { CONSOLE_WEB_LIMITS as LIMITS } from './limits.ts';
import { consoleWebOptions } from './options.ts';
import { pageRoutes } from './page-routes.ts';
import { passingRoutes } from './passing.ts';
import { screens } from './screen.ts';
import { sessionRoutes } from './session-routes.ts';
import { cookieName, cookieValue, sessions } from './sessions.ts';
import type { Beside, Console } from './shared.ts';
import { tempUrlRoutes } from './temp-urls.ts';
import { traceRoutes } from './trace-routes.ts';
import { watchRoutes } from './watch-routes.ts';

/** Where the console runs beside its cloud: what a request did, the log, metrics. */
export interface ConsoleWebOptions extends Partial<Beside> {
  config: Config;
  world: World;
}

export interface RunningConsoleWeb extends RunningService {
  /** Every declared route. */
  routes: App['routes'];
}

/**
 * Starts the web console: a page, and a small backend that holds the token and passes the page's requests on to the services of
 * the catalog. It knows nothing but REST, so it serves any cloud whose keystone it is given.
 */
export async function startConsoleWeb(options: ConsoleWebOptions): Promise<RunningConsoleWeb> {
  const settings = options.config.of(consoleWebOptions);
  const world: World = { ...options.world, log: options.world.log.child({ service: 'console-web' }) };
  const secure = settings.cert_file !== null;
  const door = operatorDoor({
    limits: { answerMs: LIMITS.answerMs, idleMs: LIMITS.idleMs },
    keepAliveMs: LIMITS.keepAliveMs,
  });
  const web: Console = {
    world,
    door,
    keystone: keystone({ door, authUrl: settings.auth_url, region: settings.region }),
    sessions: sessions(world, {
      idleMs: settings.session_idle_minutes * 60_000,
      totalMs: settings.session_hours * 3_600_000,
    }),
    failures: failures(world.clock),
    trace: options.trace ?? null,
    logs: options.logs ?? null,
    metrics: options.metrics ?? null,
    cookie: cookieName(secure, settings.bind_port),
    secure,
    authUrl: settings.auth_url,
    region: settings.region,
    idOf: request => cookieValue(request.headers.cookie, web.cookie),
    sessionOf: request => web.sessions.find(web.idOf(request), request.headers['x-background'] === '1'),
  };
  const app = createApp({
    name: 'console-web',
    world,
    renderFault,
    authenticate: async request => {
      const session = web.sessionOf(request);
      if (session === undefined) throw fault('NotLoggedIn');
      request.tenantId = session.access.project.id;
      if (request.method === 'GET' || request.method === 'HEAD') return;
      checkSameSite(request.headers);
      checkToken(request.headers, session);
    },
    ...(settings.cert_file === null
      ? {}
      : {
          tls: {
            certfile: settings.cert_file,
            keyfile: settings.key_file,
            caCerts: null,
            certRequired: false,
          },
        }),
  });
  sessionRoutes(app, web);
  passingRoutes(app, web);
  tempUrlRoutes(app, web);
  traceRoutes(app, web);
  watchRoutes(app, web);
  await pageRoutes(app);
  const screen = screens(app, web);
  const address = await app.listen({ host: settings.bind_host, port: settings.bind_port });
  world.log.info('console started', { address });
  const sweeping = world.clock.every(LIMITS.sweepMs, web.sessions.sweep);
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    sweeping.cancel();
    web.sessions.endAll();
    screen.stop();
    await app.stop();
    await door.close();
  };
  return {
    name: 'console-web',
    addresses: [address],
    routes: app.routes,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
