import { metricsOf } from '@folsom/core';
import { maskedTarget, methodLabel, statsFrom, swiftMetrics, syslogFrom } from '@folsom/swift';
import { type BodyStream, ClientDisconnected, quotePath, type RequestBody } from '@folsom/swift-http';
import { isTrue, remoteClient } from '../request.ts';
import type { Middleware } from './middleware.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const COUNTED_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'COPY'];
const KINDS = [null, 'account', 'container', 'object'];
/** Any of these sends the access log to a syslog of its own, in the original's form. */
const ACCESS_SYSLOG = [
  'access_log_name',
  'access_log_facility',
  'access_log_level',
  'access_log_address',
  'access_log_udp_host',
  'access_log_udp_port',
];

const two = (value: number): string => String(value).padStart(2, '0');

let lastSecond = Number.NaN;
let lastTime = '';

/** Whole seconds, which are worked out once. */
function logTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    lastTime = timeText(new Date(second * 1000));
    lastSecond = second;
  }
  return lastTime;
}

const timeText = (at: Date): string =>
  `${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}/${two(at.getUTCHours())}/${two(at.getUTCMinutes())}/${two(at.getUTCSeconds())}`;

/**
 * The access log: one line per answered request, written when its last byte is out. `line` holds the original's
 * seventeen fields for tools that read those; the token is never among them.
 */
export const proxyLogging: Middleware = (app, conf, tools) => {
  const { clock } = tools.world;
  const withHeaders = isTrue(conf.values.access_log_headers ?? conf.values.log_headers);
  const stats = statsFrom(conf, 'proxy-server', tools.world, 'access_');
  const metrics = metricsOf(tools.world);
  metrics.declare(swiftMetrics);
  const syslog = ACCESS_SYSLOG.some(option => conf.has(option))
    ? syslogFrom(
        conf,
        conf.str('access_log_name', 'proxy-server'),
        line => tools.log.info('access', { line: line.trimEnd() }),
        'access_',
      )
    : null;
  tools.onStop(() => {
    stats.close();
    syslog?.close();
  });
  const counted = new Set(
    conf
      .list(
        'access_log_statsd_valid_http_methods',
        conf.list('log_statsd_valid_http_methods', COUNTED_METHODS),
      )
      .map(method => method.toUpperCase()),
  );
  return async request => {
    const started = clock.monotonic();
    const { path, query } = request;
    const received = countingBody(request.body);
    request.body = received.body;
    const write = (status: number, sent: number, gone: boolean): void => {
      const duration = (clock.monotonic() - started) / 1000;
      const final = gone || received.gone() ? 499 : status;
      const target = maskedTarget(quotePath(path) + (query ? `?${query}` : ''));
      const { headers } = request;
      const fields = [
        remoteClient(request),
        request.remoteAddress,
        logTime(clock.now()),
        request.originalMethod,
        target,
        `HTTP/${request.version}`,
        final,
        maskedTarget(headers.get('referer') ?? ''),
        headers.get('user-agent'),
        headers.has('x-auth-token') ? '***' : '-',
        received.count(),
        sent,
        headers.get('etag'),
        request.transId,
        withHeaders ? [...headers.keys()].join('\n') : '-',
        duration.toFixed(4),
        request.source,
      ];
      const line = fields.map(field => (field ? quotePath(String(field), '*') : '-')).join(' ');
      const kind = path.startsWith('/v1/')
        ? KINDS[Math.min(3, path.replace(/^\/+|\/+$/g, '').split('/').length - 1)]
        : request.source;
      const operation = `${methodLabel(request.originalMethod)} ${KINDS.includes(kind ?? null) ? (kind ?? 'other') : 'middleware'}`;
      metrics.observe(swiftMetrics.requests, ['proxy-server', operation, String(final)], duration);
      metrics.add(swiftMetrics.bytes, ['in'], received.count());
      metrics.add(swiftMetrics.bytes, ['out'], sent);
      if (kind) {
        const method = counted.has(request.originalMethod) ? request.originalMethod : 'BAD_METHOD';
        const metric = `${kind}.${method}.${final}`;
        stats.timing(`${metric}.timing`, duration * 1000);
        stats.count(`${metric}.xfer`, received.count() + sent);
      }
      if (syslog?.write(line)) return;
      tools.log.info('access', {
        requestId: request.transId,
        tenant: request.identity?.tenantId ?? path.split('/')[2] ?? null,
        method: request.originalMethod,
        path: target,
        status: final,
        bytes_in: received.count(),
        bytes_out: sent,
        ms: Math.round(duration * 100_000) / 100,
        line,
      });
    };
    let response: Awaited<ReturnType<typeof app>>;
    try {
      response = await app(request);
    } catch (error) {
      write(500, 0, false);
      throw error;
    }
    if (response.body === null || Buffer.isBuffer(response.body)) {
      write(response.status, response.body?.length ?? 0, false);
      return response;
    }
    return {
      ...response,
      body: loggedStream(response.body, (sent, gone) => write(response.status, sent, gone)),
    };
  };
};

function countingBody(body: RequestBody): { body: RequestBody; count: () => number; gone: () => boolean } {
  if (body.length === 0) return { body, count: () => 0, gone: () => false };
  let count = 0;
  let gone = false;
  return {
    body: {
      length: body.length,
      read: async () => {
        try {
          const chunk = await body.read();
          count += chunk?.length ?? 0;
          return chunk;
        } catch (error) {
          gone = error instanceof ClientDisconnected;
          throw error;
        }
      },
      cancel: () => body.cancel(),
      free: chunk => body.free?.(chunk),
    },
    count: () => count,
    gone: () => gone,
  };
}

function loggedStream(stream: BodyStream, done: (sent: number, gone: boolean) => void): BodyStream {
  let sent = 0;
  let over = false;
  const finish = (gone: boolean): void => {
    if (over) return;
    over = true;
    done(sent, gone);
  };
  return {
    read: async () => {
      const chunk = await stream.read();
      if (chunk === null) finish(false);
      else sent += chunk.length;
      return chunk;
    },
    cancel: () => {
      stream.cancel();
      finish(true);
    },
    free: chunk => stream.free?.(chunk),
  };
}
