/** What was done between two moments, as part of a trace that several programs write. */
export interface Span {
  /** Names the span, for what is asked of others within it. */
  traceparent: string;
  /** Pass the error where the work failed. An attribute `name` renames the span: an operation is known late. */
  end(error?: unknown, attributes?: Readonly<Record<string, string | number>>): void;
}

export type SpanKind = 'server' | 'client' | 'producer' | 'consumer' | 'internal';

/** Where spans go. Present only where somebody collects them; a trace that somebody else began is passed on all the same. */
export interface Tracer {
  start(
    name: string,
    kind: SpanKind,
    parent: string | null,
    attributes: Readonly<Record<string, string | number>>,
  ): Span;
}

/** Version, trace, parent, flags; later versions may have more behind them (W3C Trace Context, level 1). */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[0-9a-f-]{1,100})?$/;

/** A `traceparent` as others may have sent it; null for what is none. */
export function traceparentOf(value: unknown): string | null {
  if (typeof value !== 'string' || !TRACEPARENT.test(value)) return null;
  return value.startsWith('00-') && value.length > 55 ? null : value.slice(0, 55);
}
