import type { RequestContext } from '@folsom/core';
import type { Bus, CallOptions, Handler, Recovery, Served } from './bus.ts';

/** How a method travels: `cast` without an answer, `call` with one. */
export interface MethodSpec<Args, Result> {
  kind: 'cast' | 'call';
  /** Version the caller stamps on the message; absent for Folsom's unversioned dictionaries. */
  version?: string;
  timeoutMs?: number;
  /** Only carries the types. */
  readonly types?: { args: Args; result: Result };
}

export const cast = <Args>(version?: string): MethodSpec<Args, void> => ({
  kind: 'cast',
  ...(version === undefined ? {} : { version }),
});

export const call = <Args, Result>(version?: string, timeoutMs?: number): MethodSpec<Args, Result> => ({
  kind: 'call',
  ...(version === undefined ? {} : { version }),
  ...(timeoutMs === undefined ? {} : { timeoutMs }),
});

// biome-ignore lint/suspicious/noExplicitAny: any method fits the table, its types are kept by inference
type Methods = Record<string, MethodSpec<any, any>>;
// biome-ignore lint/suspicious/noExplicitAny: only the inferred half matters
type ArgsOf<S> = S extends MethodSpec<infer A, any> ? A : never;
// biome-ignore lint/suspicious/noExplicitAny: only the inferred half matters
type ResultOf<S> = S extends MethodSpec<any, infer R> ? R : never;

/** Callers' side: one function a method. `host` sends to `<topic>.<host>`, else any worker of the topic takes it. */
export type Client<M extends Methods> = {
  [K in keyof M]: (
    context: RequestContext,
    args: ArgsOf<M[K]>,
    options?: CallOptions & { host?: string },
  ) => Promise<M[K]['kind'] extends 'cast' ? void : ResultOf<M[K]>>;
};

/** What a client sends with: a bus, or a transaction's outbox, which carries casts only. */
export type Sender = Pick<Bus, 'cast' | 'call'>;

/** Servers' side: the same methods as handlers. */
export type Handlers<M extends Methods> = {
  [K in keyof M]: (context: RequestContext, args: ArgsOf<M[K]>) => Promise<ResultOf<M[K]>> | ResultOf<M[K]>;
};

export interface Contract<M extends Methods> {
  topic: string;
  version: string | undefined;
  methods: M;
  client(bus: Sender): Client<M>;
  serve(bus: Bus, host: string, handlers: Handlers<M>, recovery?: Recovery): Promise<Served>;
}

/**
 * Declares what a daemon answers as typed data, once for both sides.
 *
 * `contract('compute', '2.4', { run_instance: cast<RunInstance>('2.0'), get_console_output: call<Tail, string>('2.0') })`
 */
export function contract<const M extends Methods>(
  topic: string,
  version: string | undefined,
  methods: M,
): Contract<M> {
  return {
    topic,
    version,
    methods,
    client: bus => {
      const client: Record<string, unknown> = {};
      for (const [method, spec] of Object.entries(methods) as [string, MethodSpec<never, unknown>][]) {
        client[method] = (
          context: RequestContext,
          args: Record<string, unknown>,
          options: CallOptions & { host?: string } = {},
        ) => {
          const to = options.host === undefined ? topic : `${topic}.${options.host}`;
          const message = { method, args, ...(spec.version === undefined ? {} : { version: spec.version }) };
          if (spec.kind === 'cast') return bus.cast(context, to, message);
          const timeoutMs = options.timeoutMs ?? spec.timeoutMs;
          return bus.call(context, to, message, timeoutMs === undefined ? {} : { timeoutMs });
        };
      }
      return client as Client<M>;
    },
    serve: (bus, host, handlers, recovery) =>
      bus.serve({
        topic,
        host,
        ...(version === undefined ? {} : { version }),
        handlers: handlers as unknown as Record<string, Handler>,
        ...(recovery === undefined ? {} : { recovery }),
      }),
  };
}
