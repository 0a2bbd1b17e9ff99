import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface AnswerParts {
  /** Absent: the operation's. */
  status?: number;
  headers?: Readonly<Record<string, string>>;
  /** A document, written in the notation asked for. */
  document?: object;
  /** Instead of a document: the finished body, with its type. */
  bytes?: string | Buffer | Readable;
  /** Content type of `bytes`, or of an answer without a body. */
  type?: string;
  /** Instead of both: writes the answer itself, at its own pace. Status and headers are set by then. */
  send?: (reply: FastifyReply, request: FastifyRequest) => FastifyReply | Promise<FastifyReply>;
  /** Instead of the XML of the operation's view. */
  xml?: unknown;
}

/** What `run` gives back where a document alone does not say all. */
export class Answer {
  readonly parts: AnswerParts;
  constructor(parts: AnswerParts) {
    this.parts = parts;
  }
}

export const answer = (parts: AnswerParts): Answer => new Answer(parts);

/** The parts of whatever `run` gave back. */
export const partsOf = (result: object | undefined): AnswerParts =>
  result instanceof Answer ? result.parts : result === undefined ? {} : { document: result };
