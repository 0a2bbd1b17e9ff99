import type { Fault } from '@folsom/core';
import type { XmlElement } from '@folsom/wire';
import type { StaticDecode, TSchema } from 'typebox';
import type { Answer } from './answer.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'ANY';

/**
 * What a fault of the domain becomes in this operation's answer: a status with the service's own text for it, or a status with a
 * text and headers.
 */
export type FaultAnswer =
  | number
  | readonly [
      status: number,
      text: string | ((fault: Fault) => string),
      headers?: Readonly<Record<string, string>>,
    ];

/** Keeps a fault's own text under another status: `{ KeyPairExists: [409, ownText] }`. */
export const ownText = (fault: Fault): string => fault.message;

/** How an answer looks. Where a service describes its resources (`@folsom/wire/view`), all of it comes from that one description. */
export interface View {
  /** Makes the document of what `run` has found: `run` gives it back. */
  json?(...of: never): object;
  /** How the service's writer makes XML of it: its own kind of template; absent: by the service's generic rules. */
  xml?: unknown;
  /** The keys of the document, for the reference. */
  keys?: string;
}

/** What `run` sees: typed values and the domain, no request. */
export interface Asked<Domain, Context, Params, Query, Body> {
  domain: Domain;
  /** Who asks, as the service's front found out. */
  context: Context;
  params: Params;
  query: Query;
  body: Body;
}

/** Names of the parameters of a path: `servers/:id/metadata/:key` has `id` and `key`. */
export type ParamNames<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamNames<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

export type ParamsOf<Path extends string> = { readonly [Name in ParamNames<Path>]: string };

type Read<Shape, Else> = Shape extends TSchema ? StaticDecode<Shape> : Else;

/** One operation of an API. Everything a front does for it, the reference page and the generated tests follow from it. */
export interface Declaration<
  Domain,
  Context,
  Path extends string,
  Params,
  Query,
  Body,
  Faults extends string,
> {
  /** In logs, metrics and the reference; unique in its API. */
  name: string;
  /** One sentence for the reference page. */
  about?: string;
  method: Method;
  /** Below the front's prefix; `:name` is a parameter. */
  path: Path;
  /** Other paths that do the same. */
  aliases?: readonly string[];
  /** One of several operations of the same method and path, told apart by the one key of their body; `body` is what it holds. */
  key?: string;
  /** Names of the service's ports that serve it; absent: all. */
  ports?: readonly string[];
  /** The rule of the policy that the front asks. Null: the front asks none; whoever has a valid token, or the domain decides. */
  policy: string | null;
  /** Served without a token. */
  public?: boolean;
  /** Shapes of what is sent. Parameters without a shape are text; a query or a body without one is not looked at. */
  params?: Params;
  query?: Query;
  body?: Body;
  /** The only media types that a body may have: others, or none, are 415. Absent: those of the notations. */
  types?: readonly string[];
  /** Whether a request without a body is refused; default: where there is a shape for it. */
  bodyRequired?: boolean;
  /**
   * What the original looked for before it read the body: asked where a body does not fit, so that its fault comes first. `body` is as it
   * was sent.
   */
  beforeBody?(asked: Asked<Domain, Context, ParamsOf<Path>, unknown, unknown>): unknown;
  /** Reads an XML body that the shape alone does not explain. */
  readXml?: (root: XmlElement) => unknown;
  /** The body of a form's fields, for clients that send one in place of JSON; without it a form is no body. */
  readForm?: (fields: Readonly<Record<string, string>>) => unknown;
  /** Status of the answer when all went well. */
  answers: number;
  view?: View;
  /** Faults of the domain by name, where this operation has a status or words of its own for them. */
  faults?: Readonly<Partial<Record<Faults, FaultAnswer>>>;
  /** Faults of the domain that keep the status that the service has for them. */
  throws?: readonly Faults[];
  run(
    asked: Asked<
      Domain,
      Context,
      Read<Params, ParamsOf<Path>>,
      Read<Query, Record<never, never>>,
      Read<Body, undefined>
    >,
  ): Result | Promise<Result>;
}

/** A document, nothing at all, or an answer with a status, headers or a body of its own. */
export type Result = object | undefined | Answer;

/** An operation whose shapes are known to its front only. */
export interface Operation<Domain = unknown, Context = unknown>
  extends Omit<
    Declaration<Domain, Context, string, TSchema, TSchema, TSchema, string>,
    'run' | 'beforeBody'
  > {
  beforeBody?(asked: Asked<Domain, Context, never, never, never>): unknown;
  run(asked: Asked<Domain, Context, never, never, never>): Result | Promise<Result>;
}

/**
 * A service's way to declare operations: `export const operation = operationFor<Dependencies, Caller, FaultName>()`, and then
 * `operation({ name, method, path, policy, body, answers, run: ({ domain, body }) => … })` with typed values in `run`.
 */
export const operationFor =
  <Domain, Context, Faults extends string = string>() =>
  <
    const Path extends string,
    Params extends TSchema | undefined = undefined,
    Query extends TSchema | undefined = undefined,
    Body extends TSchema | undefined = undefined,
  >(
    declared: Declaration<Domain, Context, Path, Params, Query, Body, Faults>,
  ): Operation<Domain, Context> =>
    declared as unknown as Operation<Domain, Context>;
