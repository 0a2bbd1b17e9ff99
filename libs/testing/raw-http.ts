import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface RawAnswer {
  status: number;
  head: string;
}

export interface Heard {
  /** Final answers in their order, whatever they answer. */
  answers: RawAnswer[];
  /** Whether the server closed the connection by itself, in time. */
  closed: boolean;
  ms: number;
}

/**
 * Sends bytes on a connection of their own, closes the sending side, and hears what comes.
 *
 * @param limitMs how long the server may keep the connection after that
 */
export async function sendRaw(port: number, bytes: Buffer, limitMs: number): Promise<Heard> {
  const started = performance.now();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true }, () => socket.end(bytes));
  let text = '';
  socket.on('data', data => {
    if (text.length < 1_000_000) text += data.toString('latin1');
  });
  socket.on('end', () => resolve(true));
  socket.on('error', () => resolve(true));
  socket.on('close', () => resolve(true));
  const timer = setTimeout(() => resolve(false), limitMs);
  const closed = await promise;
  clearTimeout(timer);
  socket.destroy();
  return { answers: answersIn(text), closed, ms: performance.now() - started };
}

/** Heads at places where one may begin; a body is never read as one. */
function answersIn(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\r\n\r\n', at);
    const match = /^HTTP\/1\.[01] (\d{3})/.exec(text.slice(at, at + 16));
    if (!match || end < 0) break;
    const head = text.slice(at, end);
    const status = Number(match[1]);
    if (status >= 200) answers.push({ status, head });
    at = end + 4;
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    if (status < 200 || status === 204 || status === 304) continue;
    if (length !== undefined) at += Number(length);
    else if (/^transfer-encoding: *chunked/im.test(head)) at = text.indexOf('\r\n0\r\n\r\n', at) + 7;
    else break;
    if (at < end) break;
  }
  return answers;
}

export interface Reading {
  /** Requests that node's parser took whole. */
  requests: { method: string; target: string; body: string }[];
  /** Targets of all whose heads it took. */
  begun: string[];
  /** Whether it gave up. */
  refused: boolean;
  /** Whether it gave up because of a method that it does not know: any word may be one (RFC 9110, 9.1). */
  unknownMethod?: boolean;
}

/** What it says of the method PRI, which it takes for the beginning of HTTP/2. */
const HTTP_2 = 'HTTP/2 Connection Preface';

/** A parser whose machine is busy has time to read. */
const READING_MS = 20_000;

/** node's own parser, asked what it makes of bytes. */
export async function nodeParser(maxHeaderSize: number): Promise<{
  read(bytes: Buffer): Promise<Reading>;
  stop(): Promise<void>;
}> {
  const readings = new Map<number, Reading>();
  const server = createServer(
    { maxHeaderSize, requireHostHeader: false },
    (request, response) => void take(request, response),
  );
  const readingOf = (port = 0): Reading => readings.get(port) ?? { requests: [], begun: [], refused: false };
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const reading = readingOf(request.socket.remotePort);
    reading.begun.push(request.url ?? '');
    try {
      let body = '';
      for await (const data of request) body += (data as Buffer).toString('latin1');
      reading.requests.push({ method: request.method ?? '', target: request.url ?? '', body });
      response.end();
    } catch {
      reading.refused = true;
      response.destroy();
    }
  };
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const reading = readingOf((socket as Socket).remotePort);
    reading.refused = true;
    if (error.code === 'HPE_INVALID_METHOD' || error.message.includes(HTTP_2)) reading.unknownMethod = true;
    socket.destroy();
  });
  // An expectation is the server's to meet, not the parser's.
  server.on('checkExpectation', (request, response) => void take(request, response));
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    readingOf(request.socket.remotePort).refused = true;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    read: async bytes => {
      const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      socket.on('error', () => {});
      await once(socket, 'connect');
      const reading: Reading = { requests: [], begun: [], refused: false };
      readings.set(socket.localPort!, reading);
      const own = socket.localPort!;
      socket.end(bytes);
      socket.resume();
      const timer = setTimeout(() => socket.destroy(), READING_MS);
      await new Promise(resolve => socket.once('close', resolve));
      clearTimeout(timer);
      readings.delete(own);
      return reading;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
