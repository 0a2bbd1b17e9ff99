import { existsSync, readFileSync } from 'node:fs';
import { createServer as createHttp, type Server as HttpServer } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { type Guard, guard, guardedSettings } from '@folsom/http';
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
export function httpOrHttps(tls: TlsFiles, limits: Guard, attach: (server: HttpServer) => void): Server {
  const settings = {
    ...guardedSettings(limits),
    maxHeaderSize: CONSOLE_LIMITS.requestBytesMax,
    // Nothing here takes a body.
    requestTimeout: limits.headersMs,
  };
  const http = createHttp(settings);
  attach(http);
  if (!existsSync(tls.cert)) {
    if (tls.only) throw new Error(`SSL only and ${tls.cert} not found`);
    guard(http, limits);
    return http;
  }
  const https = createHttps({
    ...settings,
    handshakeTimeout: limits.headersMs,
    cert: readFileSync(tls.cert),
    key: readFileSync(tls.key ?? tls.cert),
  });
  attach(https);
  const outer = createServer((socket: Socket) => {
    const timer = setTimeout(() => socket.destroy(), limits.headersMs);
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
  for (const inner of [http, https]) guard(inner, limits, outer);
  return outer;
}
