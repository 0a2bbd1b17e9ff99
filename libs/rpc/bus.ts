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

/**
 * What a server does about failures that pass by themselves (a database or broker that is away): the message is given
 * back, and tried again after a pause that grows.
 */
export interface Recovery {
  /**
   * Whether a failure passes: an `outage` of what every message needs is waited for, `brief` troubles are tried a few
   * times. Undefined for real failures, which are the handler's answer.
   */
  passing(error: unknown): 'outage' | 'brief' | undefined;
  /** The limit is reached: makes the rows say so. What it throws has the message tried once more. */
  abandoned?(context: RequestContext, method: string, args: never, error: unknown): Promise<void>;
}

export interface ServeOptions {
  /** Topic, e.g. `compute`. */
  topic: string;
  /** Host name; the server also listens on `<topic>.<host>` and on the topic's fanout. */
  host: string;
  /** Highest version served, e.g. `"2.4"`; unversioned messages count as 1.0. Absent: any version is accepted. */
  version?: string;
  handlers: Record<string, Handler>;
  /** Absent: every failure is final. */
  recovery?: Recovery;
}

export interface Served {
  /** Stops taking messages and waits for the handlers in flight. */
  stop(): Promise<void>;
}

/** A cast that its sender keeps until it may be forgotten; see outbox.ts. */
export interface KeptMessage {
  /** 32 hex digits; the same message handed on twice has the same. */
  id: string;
  topic: string;
  /** The body as it goes over the wire. */
  text: string;
}

/** What became of a kept message: worked off (or in the broker's keeping), or put aside for good with its reason. */
export type Delivered = { dead?: string };

export interface Delivery {
  /** Resolves when its place in the order of its topic is certain. */
  taken: Promise<void>;
  /** Resolves when the sender may forget it. */
  done: Promise<Delivered>;
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
  /** Hands on a cast that its sender keeps. Both promises reject when the bus cannot take it now. */
  deliver(kept: KeptMessage): Delivery;
  fanout(context: RequestContext, topic: string, message: Message): Promise<void>;
  serve(options: ServeOptions): Promise<Served>;
  /** Publishes a notification to `<topic>.<priority>` of the control exchange; with who asked, as nova has it, or without, as glance. */
  notify(
    context: RequestContext | null,
    topic: string,
    priority: string,
    payload: Record<string, unknown>,
  ): Promise<void>;
  /** Resolves when the bus can carry messages; for /readyz. */
  ready(): Promise<void>;
  close(): Promise<void>;
}
