import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import {
  Fault,
  isDiskFull,
  LIMITS,
  metricsOf,
  must,
  newRequestId,
  noteListener,
  type Span,
  systemClock,
  traceparentOf,
  type World,
} from '@folsom/core';
import { type Acceptors, acceptMore } from '@folsom/host/acceptors';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawServerDefault,
} from 'fastify';
import { GUARD, guard, guardedSettings } from './guard.ts';
import { type HealthCheck, healthRoutes } from './health.ts';
import { refuseBytes, requestsInFlight } from './in-flight.ts';
import { explainListen } from './listen-error.ts';
import { httpMetrics } from './metrics.ts';
import { canonicalTarget } from './target.ts';
import { createTlsServer, type TlsFiles } from './tls.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** `req-<uuid>`, made at the door; also in the log line and on every RPC message. */
    requestId: string;
    /** Tenant named in the log line; set by whoever authenticates the request. */
    tenantId: string | null;
    /** The declared operation that answers, once it is known; its name in logs and metrics. */
    operation: string | null;
    /** The trace that the request is part of, as W3C writes it; null where nobody began one. */
    traceparent: string | null;
    /** Its part of that trace, where somebody collects them. */
    span: Span | null;
    /** Monotonic milliseconds at arrival. */
    startedAt: number;
  }
  interface FastifyContextConfig {
    /** Leaves the body unread: the handler gets it as a stream in `request.body`. */
    stream?: boolean;
    /** The route's name in logs and metrics. */
    name?: string;
    /** Served to whoever asks. A route that does not say so is served to those {@link AppOptions.authenticate} lets in. */
    public?: boolean;
  }
}

export interface RenderedFault {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer;
}

export interface AppOptions {
  /** Folsom's program name, e.g. `nova-api`; labels logs and metrics. */
  name: string;
  world: World;
  /** What stands behind the `?` is whole forms, with what bodies hold elsewhere: the log leaves it out. */
  secretQuery?: boolean;
  /** Gives a fault its outer shape in this service's own form; also used for unknown paths (`RouteNotFound`). */
  renderFault(fault: Fault, request: FastifyRequest): RenderedFault;
  /**
   * Finds out who asks, before anything of a request is read: throws a fault, or answers and returns the reply, to let nobody
   * in. Asked for every request but those of routes that are `public`: unknown paths, too. Null where whoever is asked decides
   * by himself: by what the body says, or by where the request comes from.
   */
  authenticate: ((request: FastifyRequest, reply: FastifyReply) => Promise<unknown>) | null;
  /**
   * Another path for a canonical one, where a service knows several for the same: the only place where paths are rewritten.
   * The request's URL is not yet set.
   */
  rewritePath?: (path: string, request: IncomingMessage) => string;
  /** Whether an error says that something the service needs is away (its database): 503 instead of 500. */
  unavailable?: (error: unknown) => boolean;
  /** Bytes; larger bodies become `Fault('RequestTooLarge', 413)` for renderFault to shape. */
  bodyLimit?: number;
  /** Response header that carries the request id; none when absent. */
  requestIdHeader?: string;
  /** Parts that must work for /readyz, by name. */
  checks?: Record<string, HealthCheck>;
  /** Whether /healthz and /readyz are served by this app; default true. */
  health?: boolean;
  /** Milliseconds a client may take to send its headers. */
  headersTimeoutMs?: number;
  /** Milliseconds a client may take to send a whole request; 0 (for uploads) means no limit. */
  requestTimeoutMs?: number;
  /** Milliseconds a client may take to send a body that is not streamed to the handler. */
  bodyTimeoutMs?: number;
  /** Speaks TLS only. {@link createApp} throws one sentence when the files are of no use. */
  tls?: TlsFiles;
}

export interface RouteInfo {
  method: string;
  path: string;
  name: string;
  public: boolean;
}

export interface App {
  server: FastifyInstance;
  /** Every declared route, for documentation and generated tests. */
  routes: readonly RouteInfo[];
  /** Resolves to `host:port`. Rejects with one clear sentence when the address cannot be had. */
  listen(at: { host: string; port: number }): Promise<string>;
  /**
   * Finishes the requests of everybody connected so far (at most LIMITS.stopGraceMs) and refuses new connections.
   * May be called again.
   */
  stop(): Promise<void>;
}

/** A neighbour service passes its caller's id on in `X-Openstack-Request-Id`; anything else in it is ignored. */
const REQUEST_ID = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const routeNotFound = () => new Fault('RouteNotFound', 404, 'The resource could not be found.');

/** Gives each request what its answer and its log line need: an id, its start, its place in a trace. May be asked again. */
function beginner(name: string, world: World) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    // Empty; or absent, for a request the router could not read.
    if (request.requestId) return;
    // No browser may take an answer for a page because of what some user had it say.
    reply.header('x-content-type-options', 'nosniff');
    const carried = request.headers['x-openstack-request-id'];
    request.requestId =
      typeof carried === 'string' && REQUEST_ID.test(carried) ? carried : newRequestId(world.random);
    request.startedAt = world.clock.monotonic();
    request.traceparent = traceparentOf(request.headers.traceparent);
    if (!world.tracer) return;
    request.span = world.tracer.start(request.method, 'server', request.traceparent, {
      'folsom.service': name,
      'folsom.request_id': request.requestId,
      'http.request.method': request.method,
    });
    request.traceparent = request.span.traceparent;
  };
}

interface Front {
  log: World['log'];
  inFlight: ReturnType<typeof requestsInFlight>;
  begin: ReturnType<typeof beginner>;
}

/** The server without its hooks: what is refused before there is a request, and what each request carries. */
function bareServer(options: AppOptions, { log, inFlight, begin }: Front): FastifyInstance {
  const server = Fastify({
    rewriteUrl: request => {
      const { path, query, authority } = canonicalTarget(request.url ?? '/');
      if (authority !== null) request.headers.host = authority;
      return (options.rewritePath?.(path, request) ?? path) + query;
    },
    bodyLimit: options.bodyLimit ?? LIMITS.jsonBodyBytesMax,
    logger: false,
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 4096, caseSensitive: true },
    return503OnClosing: false,
    genReqId: () => '',
    clientErrorHandler(error, socket) {
      // Bytes behind a request, such as a body nobody announced, do not take its answer away.
      if (inFlight.closeAfterAnswer(socket)) return;
      // The parser gave up before there was a request: answer in plain HTTP and close.
      log.info('not a request', { reason: error.code, client: socket.remoteAddress });
      refuseBytes(error, socket);
    },
    serverFactory: handler => {
      // Node's own five minutes would end a long upload; bodies that are read here have a limit of their own.
      const settings = {
        ...guardedSettings({ ...GUARD, headersMs: options.headersTimeoutMs ?? GUARD.headersMs }),
        requestTimeout: options.requestTimeoutMs ?? 0,
      };
      const http = options.tls
        ? createTlsServer(options.tls, options.name, settings, handler)
        : createServer(settings, handler);
      inFlight.watch(http);
      guard(http);
      return http as unknown as RawServerDefault;
    },
    frameworkErrors: (_error, request, reply) => {
      // A path that cannot even be decoded never reaches the router.
      begin(request, reply);
      send(reply, options.renderFault(new Fault('BadUrl', 400, 'The path cannot be decoded.'), request));
    },
  });

  server.decorateRequest('requestId', '');
  server.decorateRequest('tenantId', null);
  server.decorateRequest('operation', null);
  server.decorateRequest('startedAt', 0);
  server.decorateRequest('traceparent', null);
  server.decorateRequest('span', null);
  return server;
}

/** Makes the HTTP application of a service: limits, request ids, fault rendering, one log line a request, health. */
export function createApp(options: AppOptions): App {
  const { name, world, requestIdHeader } = options;
  const log = world.log.child({ service: name });
  const metrics = metricsOf(world);
  metrics.declare(httpMetrics);
  const routes: RouteInfo[] = [];

  const begin = beginner(name, world);
  const inFlight = requestsInFlight();
  const server = bareServer(options, { log, inFlight, begin });
  server.removeAllContentTypeParsers();
  const bodyLimits = {
    bytes: options.bodyLimit ?? LIMITS.jsonBodyBytesMax,
    ms: options.bodyTimeoutMs ?? LIMITS.bodyTimeoutMs,
  };
  server.addContentTypeParser('*', (request, payload, done) => {
    if (request.routeOptions.config.stream) return done(null, payload);
    readBody(payload, bodyLimits, request.headers['content-length']).then(
      body => done(null, body),
      error => done(error as Error),
    );
  });

  server.addHook('onRequest', (request, reply, done) => {
    begin(request, reply);
    if (requestIdHeader) reply.header(requestIdHeader, request.requestId);
    done();
  });

  const { authenticate } = options;
  if (authenticate) {
    server.addHook('onRequest', (request, reply, done) => {
      if (request.routeOptions.config?.public) return done();
      // As of an asynchronous hook: who has answered goes no further.
      authenticate(request, reply).then(
        () => {
          if (!reply.sent) done();
        },
        error => done(error as Error),
      );
    });
  }

  // A body without a Content-Type skips the parsers; read it all the same.
  server.addHook('preValidation', (request, _reply, done) => {
    const { 'content-type': type, 'transfer-encoding': coding, 'content-length': length } = request.headers;
    const framed = coding !== undefined || Number(length) > 0;
    if (request.body !== undefined || type !== undefined || !framed) return done();
    if (request.routeOptions.config.stream) {
      request.body = request.raw;
      return done();
    }
    readBody(request.raw, bodyLimits, length).then(
      body => {
        request.body = body;
        done();
      },
      error => done(error as Error),
    );
  });

  server.addHook('onResponse', (request, reply, done) => {
    const ms = world.clock.monotonic() - request.startedAt;
    const { operation } = request;
    const named =
      operation ?? request.routeOptions.config?.name ?? (request.routeOptions.url ? 'other' : 'unmatched');
    request.span?.end(reply.statusCode >= 500 ? FAILED : undefined, {
      name: `${name} ${named}`,
      'http.response.status_code': reply.statusCode,
    });
    metrics.observe(httpMetrics.requests, [name, named, String(reply.statusCode)], ms / 1000);
    log.info('request', {
      requestId: request.requestId,
      tenant: request.tenantId,
      ...(operation ? { operation } : {}),
      method: request.method,
      path: (options.secretQuery ? (request.url.split('?', 1)[0] ?? '') : request.url).slice(0, 1024),
      status: reply.statusCode,
      ms: Math.round(ms * 10) / 10,
      client: request.ip,
    });
    done();
  });

  server.addHook('onRoute', route => {
    for (const method of [route.method].flat()) {
      const { name = route.url, public: open = false } = route.config ?? {};
      routes.push({ method, path: route.url, name, public: open });
    }
  });

  server.setNotFoundHandler((request, reply) => {
    send(reply, options.renderFault(routeNotFound(), request));
  });

  server.setErrorHandler((error, request, reply) => {
    send(reply, options.renderFault(asFault(error, request), request));
  });

  const asFault = (error: unknown, request: FastifyRequest): Fault => {
    if (options.unavailable?.(error)) {
      const { requestId } = request;
      log.error('the service is not available', { requestId, tenant: request.tenantId, error });
      const message = `The service is not available at the moment. Please try again later. (request ${requestId})`;
      return new Fault('ServiceUnavailable', 503, message, { cause: error, values: { requestId } });
    }
    if (error instanceof Fault) {
      // What a neighbour or a host failed with is told to nobody else.
      if (error.status >= 500 && error.status !== 501) {
        const { requestId, tenantId: tenant } = request;
        log.warn('a request failed', { requestId, tenant, fault: error.name, error: error.cause ?? error });
      }
      return error;
    }
    if (isDiskFull(error)) {
      const { requestId } = request;
      log.error('a disk is full', { requestId, tenant: request.tenantId, error });
      const message = `The service cannot store anything: its disk is full. (request ${requestId})`;
      return new Fault('ServiceUnavailable', 503, message, { cause: error, values: { requestId } });
    }
    const code = (error as { code?: string }).code;
    // A method that the parser lets through and the router has never heard of: PRI.
    if (code === 'FST_ERR_NOT_FOUND') return routeNotFound();
    if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
      return new Fault('RequestTooLarge', 413, 'Request is too large.');
    if (code !== undefined && REQUEST_ERRORS.has(code))
      return new Fault('BadRequest', 400, (error as Error).message);
    // Only the client's own connection: what another server did to ours is not his fault.
    // All of a request may have come without having been read when he leaves.
    const left = request.raw.destroyed && (!request.raw.complete || request.raw.errored === error);
    if (left && (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')) {
      return new Fault('ClientDisconnected', 400, 'The client closed the connection.', { cause: error });
    }
    const { requestId } = request;
    log.error('unexpected error', { requestId, tenant: request.tenantId, error });
    // Not every client prints the header with the id, and it is all that a user can tell whoever looks for the cause.
    const message = `The server has either erred or is incapable of performing the requested operation. (request ${requestId})`;
    return new Fault('InternalError', 500, message, { cause: error, values: { requestId } });
  };

  let stopped: Promise<void> | null = null;
  let acceptors: Acceptors | null = null;
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  // Whoever keeps his connection is told that this answer is its last, instead of finding it cut at his next request.
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (stopped) reply.header('connection', 'close');
    done();
  });

  const stop = async () => {
    const { server: http } = server;
    // The kernel says yes to a client before we see it: take in who is connected by now and what he has sent, for a
    // listening socket that closes resets them all.
    for (let before = -1; before !== accepted; ) {
      before = accepted;
      await turnOfTheLoop();
      await turnOfTheLoop();
    }
    // Sockets live in real time, whatever time the service lives in.
    const timers = [
      // A connection becomes idle only once its answer is out, so look again until all are gone.
      systemClock.every(20, () => http.closeIdleConnections()),
      // Connected and silent: no request is lost with it.
      systemClock.after(LIMITS.stopSilentMs, () => {
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      }),
      systemClock.after(LIMITS.stopGraceMs, () => http.closeAllConnections()),
    ];
    await Promise.all([server.close(), acceptors?.close()]);
    for (const timer of timers) timer.cancel();
  };

  if (options.health !== false) healthRoutes(server, options.checks ?? {});

  return {
    server,
    routes,
    listen: async ({ host, port }) => {
      try {
        await server.listen({ host, port, backlog: LIMITS.listenBacklog });
      } catch (error) {
        throw explainListen(error, name, host, port);
      }
      noteListener(server.server);
      acceptors = acceptMore(server.server, LIMITS.listenBacklog);
      const address = server.server.address();
      const actual = typeof address === 'object' && address ? address.port : port;
      return `${host.includes(':') ? `[${host}]` : host}:${actual}`;
    },
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** What a span says of an answer that is the service's own failure; the log has the reason. */
const FAILED = new Error('the service failed');

/** What fastify finds wrong with a request. */
const REQUEST_ERRORS: ReadonlySet<string> = new Set([
  'FST_ERR_CTP_INVALID_CONTENT_LENGTH',
  'FST_ERR_CTP_INVALID_MEDIA_TYPE',
  'FST_ERR_CTP_EMPTY_TYPE',
  // Of the method QUERY, which routes for every method have, too.
  'FST_ERR_ROUTE_MISSING_CONTENT_TYPE',
]);

/** Reason phrases that have changed since; command lines of then print what they get. */
const REASONS_OF_2012: Readonly<Record<number, string>> = { 413: 'Request Entity Too Large' };

/** Writes a rendered fault as it is. */
export function send(reply: FastifyReply, rendered: RenderedFault): void {
  reply.code(rendered.status);
  const reason = REASONS_OF_2012[rendered.status];
  if (reason !== undefined) reply.raw.statusMessage = reason;
  for (const [header, value] of Object.entries(rendered.headers)) reply.header(header, value);
  reply.send(rendered.body);
}

/**
 * Sends a text under the content type that was set, which is left as it is. Head and text go out in one write, unlike a Buffer:
 * so no header of the answer may have letters beyond ASCII.
 */
export const sendText = (reply: FastifyReply, text: string): FastifyReply =>
  reply.serializer(asItIs).send(text);

const asItIs = (text: unknown): string => text as string;

async function readBody(
  stream: Readable,
  limit: { bytes: number; ms: number },
  declared: string | undefined,
): Promise<Buffer> {
  const tooLarge = () => new Fault('RequestTooLarge', 413, 'Request is too large.');
  if (declared !== undefined && Number(declared) > limit.bytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {});
  // Sockets live in real time.
  const timer = systemClock.after(limit.ms, () =>
    late.reject(
      new Fault('RequestTimeout', 408, 'The body did not arrive in time.', {
        headers: { connection: 'close' },
      }),
    ),
  );
  // Not `for await`: that would end the connection with the reading, and the answer would not arrive.
  const arriving = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await Promise.race([arriving.next(), late.promise]);
      if (next.done) break;
      size += next.value.byteLength;
      if (size > limit.bytes) throw tooLarge();
      chunks.push(next.value);
    }
  } finally {
    timer.cancel();
  }
  return chunks.length === 1 ? must(chunks[0], 'chunks is not empty') : Buffer.concat(chunks, size);
}
