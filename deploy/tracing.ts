import type { Span, SpanKind, Tracer } from '@folsom/core';
import type { Span as OtelSpan } from '@opentelemetry/api';

export interface Exporter {
  tracer: Tracer;
  /** Sends what is still here. */
  stop(): Promise<void>;
}

/** Kinds as OpenTelemetry numbers them. */
const KINDS: Readonly<Record<SpanKind, number>> = {
  internal: 0,
  server: 1,
  client: 2,
  producer: 3,
  consumer: 4,
};
const ERROR = 2;
const SAMPLED = 1;
const EXPORT_TIMEOUT_MS = 5000;
/** Spans kept for a collector that is away; the others are dropped, and nothing waits for it. */
const QUEUE_MAX = 10_000;

/**
 * Sends spans by OTLP over HTTP (JSON) to a collector, in batches. OpenTelemetry's SDK is loaded here and nowhere else: who wants no
 * traces pays nothing for it.
 *
 * @param endpoint of the collector, e.g. `http://127.0.0.1:4318`; `/v1/traces` is added where it has no path
 * @param program what the spans are of, e.g. `nova-api`
 * @param timeoutMs longest wait for the collector; a stop waits no longer
 */
export async function startExporter(
  endpoint: string,
  program: string,
  timeoutMs = EXPORT_TIMEOUT_MS,
): Promise<Exporter> {
  const url = tracesUrl(endpoint);
  const [{ ROOT_CONTEXT, trace }, { BatchSpanProcessor, TracerProvider }, { OTLPTraceExporter }, resources] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const provider = new TracerProvider({
    resource: resources.resourceFromAttributes({
      'service.name': program,
      'service.namespace': 'folsom',
      'process.pid': process.pid,
    }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url, timeoutMillis: timeoutMs }),
        maxQueueSize: QUEUE_MAX,
        scheduledDelayMillis: 1000,
      }),
    ],
  });
  const otel = provider.getTracer('folsom');
  return {
    tracer: {
      start: (name, kind, parent, attributes) => {
        const context =
          parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remoteContext(parent));
        return spanOf(otel.startSpan(name, { kind: KINDS[kind], attributes: { ...attributes } }, context));
      },
    },
    // A collector that is away is nobody's trouble.
    stop: () => provider.shutdown().catch(() => {}),
  };
}

function spanOf(span: OtelSpan): Span {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    end: (error, attributes = {}) => {
      const { name, ...others } = attributes;
      if (typeof name === 'string') span.updateName(name);
      span.setAttributes(others);
      if (error !== undefined) {
        const { name: type, message } = error as Error;
        span.setAttribute('error.type', type);
        span.setStatus({ code: ERROR, message });
      }
      span.end();
    },
  };
}

/** @param traceparent one that was checked */
function remoteContext(traceparent: string) {
  const [, traceId = '', spanId = '', flags = '00'] = traceparent.split('-');
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & SAMPLED, isRemote: true };
}

/** Throws one sentence for what is no address. */
function tracesUrl(endpoint: string): string {
  const url = URL.parse(endpoint);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new Error(`otlp_endpoint: ${JSON.stringify(endpoint)} is no http or https address`);
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return url.href;
}
