import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type App, refuseUpgrade } from '@folsom/http';
import { WebSocket, WebSocketServer } from 'ws';
import { checkSameSite } from './guard.ts';
import { readJson } from './keystone.ts';
import { CONSOLE_WEB_LIMITS as LIMITS } from './limits.ts';
import type { Session } from './sessions.ts';
import type { Console } from './shared.ts';

const PATH = /^\/api\/screen\/([\w-]{1,64})$/;
const CONNECT_MS = 10_000;

/**
 * A guest's screen in the page: nova is asked for a console, and the websocket goes on to its proxy from here. Each opening
 * asks anew, so a page may be loaded again although an address opens once; and nobody but this server has to reach the proxy.
 */
export function screens(app: App, web: Console): { stop(): void } {
  const open = new Set<WebSocket>();
  const places = screenPlaces();
  const browsers = new WebSocketServer({
    noServer: true,
    maxPayload: LIMITS.screenMessageBytesMax,
    perMessageDeflate: false,
    handleProtocols: offered => (offered.has('binary') ? 'binary' : false),
  });

  const connect = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const admitted = admit(request, web);
    if (typeof admitted === 'number') return refuseUpgrade(socket, admitted);
    const { session, server } = admitted;
    if (!places.take(session.access.user.id, socket)) return refuseUpgrade(socket, 503);
    const log = web.world.log.child({ instance: server, tenant: session.access.project.id });
    try {
      const proxy = await toProxy(await addressOf(web, session, server));
      if (socket.destroyed) return proxy.terminate();
      browsers.handleUpgrade(request, socket, head, browser => {
        open.add(browser);
        browser.once('close', () => open.delete(browser));
        join(browser, proxy, session);
        log.info('screen opened');
      });
      socket.once('close', () => proxy.terminate());
    } catch (error) {
      log.info('screen cannot be opened', { why: (error as Error).message });
      refuseUpgrade(socket, 502);
    }
  };

  app.server.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void connect(request, socket, head);
  });
  return {
    stop: () => {
      for (const browser of open) browser.terminate();
    },
  };
}

/** Who asks, by cookie and origin: any page may open a websocket to any server. */
function admit(request: IncomingMessage, web: Console): { session: Session; server: string } | number {
  const server = PATH.exec(request.url ?? '')?.[1];
  if (server === undefined) return 404;
  const session = web.sessionOf(request);
  if (session === undefined) return 401;
  if (request.headers.origin === undefined) return 403;
  try {
    checkSameSite(request.headers);
  } catch {
    return 403;
  }
  return { session, server };
}

/** Room for screens: nobody takes all of it. */
function screenPlaces(): { take(user: string, connection: Duplex): boolean } {
  const taken = new Map<Duplex, string>();
  return {
    /** A place until the connection closes; false when there is none. */
    take: (user, connection) => {
      if (connection.destroyed || taken.size >= LIMITS.screensMax) return false;
      const own = [...taken.values()].filter(other => other === user);
      if (own.length >= LIMITS.screensOfUserMax) return false;
      taken.set(connection, user);
      connection.once('close', () => taken.delete(connection));
      return true;
    },
  };
}

async function addressOf(web: Console, { access, ended }: Session, server: string): Promise<URL> {
  const answer = await web.door.request(`${access.endpoints.compute}/servers/${server}/action`, {
    method: 'POST',
    headers: {
      'x-auth-token': access.token,
      'content-type': 'application/json',
      accept: 'application/json',
    },
    body: Buffer.from(JSON.stringify({ 'os-getVNCConsole': { type: 'novnc' } })),
    signal: AbortSignal.any([ended.signal, AbortSignal.timeout(LIMITS.exchangeMs)]),
  });
  const body = (await readJson(answer.body)) as { console?: { url?: unknown } } | null;
  const url = body?.console?.url;
  if (answer.status !== 200 || typeof url !== 'string') throw new Error(`nova answered ${answer.status}`);
  return new URL(url);
}

/** The websocket behind a console's page: its token in the address for today's proxies, in a cookie for those of 2012. */
function toProxy(page: URL): Promise<WebSocket> {
  const token = page.searchParams.get('token') ?? '';
  if (!/^[\w-]{1,200}$/.test(token)) throw new Error('the address has no token');
  const target = new URL(`/websockify?token=${token}`, page);
  target.protocol = page.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(target, ['binary', 'base64'], {
    headers: { cookie: `token=${token}` },
    handshakeTimeout: CONNECT_MS,
    maxPayload: LIMITS.screenMessageBytesMax,
    perMessageDeflate: false,
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      // What the guest says before the browser is there waits. A connection that is not open yet cannot be held.
      socket.pause();
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Bytes both ways; a side that cannot keep up holds the other back, one that ends ends the other. */
function join(browser: WebSocket, proxy: WebSocket, session: Session): void {
  const old = proxy.protocol === 'base64';
  const end = () => {
    browser.terminate();
    proxy.terminate();
  };
  session.ended.signal.addEventListener('abort', end, { once: true });
  const carry = (from: WebSocket, to: WebSocket, change: (data: Buffer) => Buffer | string) => {
    from.on('message', data => {
      if (to.readyState !== WebSocket.OPEN) return;
      to.send(change(Buffer.isBuffer(data) ? data : Buffer.concat([data].flat() as Buffer[])), () => {
        if (from.isPaused && to.bufferedAmount < LIMITS.screenBufferedBytesMax) from.resume();
      });
      if (to.bufferedAmount >= LIMITS.screenBufferedBytesMax) from.pause();
    });
    from.once('close', () => {
      session.ended.signal.removeEventListener('abort', end);
      if (to.readyState === WebSocket.OPEN) to.close(1000);
    });
    from.on('error', end);
  };
  carry(browser, proxy, old ? data => data.toString('base64') : data => data);
  carry(proxy, browser, old ? data => Buffer.from(data.toString('latin1'), 'base64') : data => data);
  proxy.resume();
}
