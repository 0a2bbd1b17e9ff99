import type { Fault } from '@folsom/core';
import type { XmlElement } from '@folsom/wire';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AnswerParts } from './answer.ts';
import type { Asked, Operation } from './operation.ts';
import type { Problem } from './shape.ts';

export type Notation = 'json' | 'xml';

/** What has been sent with a request, before its shape is looked at. */
export type Sent<Domain, Context> = Asked<
  Domain,
  Context,
  Record<string, string>,
  Record<string, unknown>,
  unknown
>;

/** The faults of what every front refuses, in the service's own words. */
export interface Complaints {
  /** 415: none of the media types that the operation takes. */
  mediaType?(types: readonly string[], operation: Operation): Fault;
  /** 400: bytes that are not what their Content-Type says. */
  malformed(notation: Notation, cause: unknown): Fault;
  /** 400 (or 422): no body where there must be one. */
  noBody(operation: Operation): Fault;
  /** 400 (404 for a path's parameter): a value that does not fit. `problem.text` is the shape's own text, if it has one. */
  invalid(problem: Problem, operation: Operation): Fault;
  /** 400: no operation with that key; undefined where there was no body to name one. */
  noAction?(key: string | undefined): Fault;
  /** Operations have keys, and the JSON body is no object with one key. Absent: malformed. */
  notKeyed?(body: unknown): Fault;
  /** 405. Absent: a method that is not declared is a path that is not there (404), as in most of Folsom's routes. */
  method?(allowed: readonly string[]): Fault;
  /** A domain's fault under the status that the operation declares, with its text; undefined: the status' own. */
  fault(status: number, text: string | undefined, cause: Fault): Fault;
}

/**
 * What a service brings so that declarations become an API: where it stands, who asks, the notations it speaks and its words.
 * Everything in it is asked in the order in which it stands here.
 */
export interface Front<Domain, Context> {
  domain: Domain;
  /** What the paths stand below, e.g. `/v2.0`. Several serve the same under each. */
  prefixes: readonly string[];
  /** Which of the operations' `ports` this is. */
  port?: string;
  /** All spellings of an operation's path: suffixes and the like. */
  spellings?(path: string): readonly string[];
  /** Who asks. @throws 401 */
  context(request: FastifyRequest): Context | Promise<Context>;
  /** Parameters of the path; default the router's. */
  params?(request: FastifyRequest): Record<string, string>;
  /** The media types that a body may have; default the operation's `types`. */
  types?(operation: Operation): readonly string[] | undefined;
  /** Which of several values of one name counts in a query; default the last. */
  repeated?: 'first' | 'last';
  /** The notation of a body; undefined: there is none that could be read. @throws 415 */
  notation(contentType: string | undefined): Notation | undefined;
  /** Reads an XML body; default by the operation's shape. Where operations have keys it gives what the key holds. */
  readXml?(root: XmlElement, operation: Operation): unknown;
  /** Last changes to a body before its shape is looked at; gets undefined where none was sent. */
  body?(body: unknown, operation: Operation): unknown;
  /** Looked at before anybody asks for rights: rate limits, whose URL it is, and what the original complains about first. */
  before?(sent: Sent<Domain, Context>, operation: Operation, request: FastifyRequest): void | Promise<void>;
  /** Whether the caller may, by the operation's `policy`. @throws 401, 403 */
  authorize(sent: Sent<Domain, Context>, operation: Operation): void | Promise<void>;
  /** Writes the answer. `parts.status` is set. */
  write(
    reply: FastifyReply,
    parts: AnswerParts & { status: number },
    operation: Operation,
    request: FastifyRequest,
  ): FastifyReply | Promise<FastifyReply>;
  complaints: Complaints;
  /** Faults that any operation may throw without saying so. */
  throws?: readonly string[];
  /** Is told of a fault that came out of an operation which does not declare it. */
  undeclared?(fault: Fault, operation: Operation): void;
}
