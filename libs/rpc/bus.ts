import type { RequestContext } from '@folsom/core';

/** One RPC request as Folsom puts it on the wire: the method dictionary itself is the body. */
export interface Message {
  method: string;
  args: Record<string, unknown>;
  /** `"2.0"`; absent for Folsom's unversioned dictionaries (network, volume). */
  version?: string;
}

export interface CallOptions {
  /** Milliseconds to wait for the reply; default rpc_response_timeout. */
  timeoutMs?: number;
}

/** A handler gets the caller's context and the arguments; what it returns is the reply of a call. */
export type Handler = (context: RequestContext, args: Record<string, never>) => unknown | Promise<unknown>;

export interface ServeOptions {
  /** Topic, e.g. `compute`. */
  topic: string;
  /** Host name; the server also listens on `<topic>.<host>` and on the topic's fanout. */
  host: string;
  /** Highest version served, e.g. `"2.4"`; unversioned messages count as 1.0. Absent: any version is accepted. */
  version?: string;
  handlers: Record<string, Handler>;
}

export interface Served {
  /** Stops taking messages and waits for the handlers in flight. */
  stop(): Promise<void>;
}

/**
 * The message bus of the nova daemons. Topics are `scheduler`, or `compute.HOST` for one host.
 *
 * `call` rejects with the remote {@link Fault} rebuilt (name, status unknown on the wire: 500 unless the catalogue of
 * the caller knows it), with a Fault named `RemoteError` for anything else, and with `RpcTimeout` when time is up.
 */
export interface Bus {
  call(context: RequestContext, topic: string, message: Message, options?: CallOptions): Promise<unknown>;
  cast(context: RequestContext, topic: string, message: Message): Promise<void>;
  fanout(context: RequestContext, topic: string, message: Message): Promise<void>;
  serve(options: ServeOptions): Promise<Served>;
  /** Publishes a notification to `<topic>.<priority>` of the control exchange. */
  notify(
    context: RequestContext,
    topic: string,
    priority: string,
    payload: Record<string, unknown>,
  ): Promise<void>;
  /** Resolves when the bus can carry messages; for /readyz. */
  ready(): Promise<void>;
  close(): Promise<void>;
}
