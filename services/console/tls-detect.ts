import { existsSync, readFileSync } from 'node:fs';
import { createServer as createHttp, type Server as HttpServer } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { CONSOLE_LIMITS } from './limits.ts';

export interface TlsFiles {
  cert: string;
  key: string | null;
  /** Refuse connections without TLS. */
  only: boolean;
}

/** First byte of a TLS handshake. */
const TLS_HANDSHAKE = 0x16;

/**
 * A listener that speaks HTTP, and HTTPS on the same port where there is a certificate, as websockify's does. `attach`
 * is given each inner server.
 */
export function httpOrHttps(tls: TlsFiles, attach: (server: HttpServer) => void): Server {
  const limits = {
    maxHeaderSize: CONSOLE_LIMITS.requestBytesMax,
    headersTimeout: CONSOLE_LIMITS.requestMs,
    requestTimeout: CONSOLE_LIMITS.requestMs,
    connectionsCheckingInterval: CONSOLE_LIMITS.requestMs / 5,
  };
  const http = createHttp(limits);
  attach(http);
  if (!existsSync(tls.cert)) {
    if (tls.only) throw new Error(`SSL only and ${tls.cert} not found`);
    return http;
  }
  const https = createHttps({
    ...limits,
    cert: readFileSync(tls.cert),
    key: readFileSync(tls.key ?? tls.cert),
  });
  attach(https);
  const outer = createServer((socket: Socket) => {
    const timer = setTimeout(() => socket.destroy(), CONSOLE_LIMITS.requestMs);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => clearTimeout(timer));
    socket.once('readable', () => {
      clearTimeout(timer);
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      socket.unshift(chunk);
      const secure = chunk[0] === TLS_HANDSHAKE;
      if (!secure && tls.only) return void socket.destroy();
      (secure ? https : http).emit('connection', socket);
    });
  });
  return outer;
}
