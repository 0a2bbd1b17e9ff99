import { createServer, type Socket } from 'node:net';
import type { Config } from '@folsom/config';
import { adminContext, metricsOf, type RunningService, type World } from '@folsom/core';
import { endNow, type Guard, guard } from '@folsom/http';
import { novaOptions } from '@folsom/nova/options';
import { consoleauthContract } from '@folsom/nova/rpc/consoleauth';
import type { Bus } from '@folsom/rpc';
import { CONSOLE_GUARD, CONSOLE_LIMITS } from './limits.ts';
import { listen } from './listening.ts';
import { consoleMetrics } from './metrics.ts';
import { connectVnc } from './vnc-connection.ts';

export interface XvpVncProxyOptions {
  config: Config;
  bus: Bus;
  world: World;
  limits?: Guard;
}

/**
 * Starts nova-xvpvncproxy for the Java viewer of 2012: it asks for `/console?token=...` over HTTP and goes on with
 * plain VNC on the same connection.
 */
export async function startXvpVncProxy(options: XvpVncProxyOptions): Promise<RunningService> {
  const { limits = CONSOLE_GUARD } = options;
  const settings = options.config.of(novaOptions);
  const log = options.world.log.child({ service: 'nova-xvpvncproxy' });
  const consoleauth = consoleauthContract.client(options.bus);
  const metrics = metricsOf(options.world);
  metrics.declare(consoleMetrics);
  const count = (outcome: string) => metrics.add(consoleMetrics.asked, ['xvpvnc', outcome]);
  let open = 0;
  const untold = metrics.read(consoleMetrics.open, () => [[['xvpvnc'], open]]);

  const answer = async (socket: Socket, head: string, rest: Buffer) => {
    const token = tokenOf(head);
    if (token === undefined) return refuse(socket, '400 Invalid Request', 'Invalid Request');
    const access = await consoleauth.check_token(adminContext(), { token });
    if (access === null || access.console_type !== 'xvpvnc') {
      count('refused');
      log.warn('console refused', { client: socket.remoteAddress });
      return refuse(socket, '401 Not Authorized', 'Not Authorized');
    }
    const vnc = await connectVnc(access);
    // Who has left meanwhile closes nothing any more.
    if (socket.destroyed) return void vnc.destroy();
    open++;
    count('open');
    log.info('console opened', { instance: access.instance_uuid, client: socket.remoteAddress });
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    if (rest.length > 0) vnc.write(rest);
    socket.pipe(vnc);
    vnc.pipe(socket);
    vnc.on('error', () => socket.destroy());
    vnc.once('close', () => socket.destroy());
    socket.once('close', () => {
      open--;
      vnc.destroy();
      log.info('console closed', { instance: access.instance_uuid });
    });
  };

  const server = createServer({ noDelay: true }, socket => {
    socket.on('error', () => socket.destroy());
    const timer = setTimeout(() => socket.destroy(), limits.headersMs);
    let received = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) {
        if (received.length > CONSOLE_LIMITS.requestBytesMax) socket.destroy();
        return;
      }
      clearTimeout(timer);
      socket.off('data', onData);
      socket.pause();
      const head = received.toString('latin1', 0, end);
      answer(socket, head, received.subarray(end + 4)).catch(error => {
        count('failed');
        log.error('console cannot be opened', { why: (error as Error).message });
        refuse(socket, '502 Bad Gateway', 'Bad Gateway');
      });
    };
    socket.on('data', onData);
    socket.once('close', () => clearTimeout(timer));
  });
  guard(server, limits);
  server.maxConnections = CONSOLE_LIMITS.connectionsMax;
  const listening = await listen(server, settings.xvpvncproxy_host, settings.xvpvncproxy_port);
  log.info('xvpvncproxy started', { address: listening.address });
  return {
    name: 'nova-xvpvncproxy',
    addresses: [listening.address],
    stop: () => {
      untold();
      return listening.stop();
    },
  };
}

function refuse(socket: Socket, status: string, text: string): void {
  endNow(
    socket,
    `HTTP/1.1 ${status}\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
}

/** The token in the query of a request's first line. */
function tokenOf(head: string): string | undefined {
  const [, query] = /^[A-Z]+ [^\s?]*\?(\S*) HTTP\/1\.\d/.exec(head) ?? [];
  const token = query === undefined ? null : new URLSearchParams(query).get('token');
  return token !== null && /^[\w-]{1,200}$/.test(token) ? token : undefined;
}
