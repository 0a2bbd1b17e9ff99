import type { FastifyRequest } from 'fastify';

export type Port = 'public' | 'admin';

/** A request after its body was read, in either notation. */
export interface Asked {
  port: Port;
  params: Readonly<Record<string, string>>;
  /** The last value of each name. */
  query: Readonly<Record<string, string>>;
  body: Readonly<Record<string, unknown>>;
  /** X-Auth-Token as sent. */
  tokenId: string | null;
  /** Whether that is the configured admin_token. */
  bootstrap: boolean;
  request: FastifyRequest;
}

/** A JSON document; undefined for 204; or an answer with a status or text of its own. */
export type Answer = Record<string, unknown> | undefined | Reply;

export class Reply {
  readonly status: number;
  /** A document, or the finished body with its type. */
  readonly body: Record<string, unknown> | { type: string; text: string; vary: boolean };
  constructor(status: number, body: Reply['body']) {
    this.status = status;
    this.body = body;
  }
}

/**
 * One operation of the API: where it is, who may call it, which objects its body must hold, and what it does. Routing,
 * authorization, both notations and the generated tests derive from the list of these.
 */
export interface Operation {
  name: string;
  /** `ANY` for documents that answer every method. */
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'ANY';
  /** Below `/v2.0`, or from the root with `absolute`. `:name` is a parameter. */
  path: string;
  absolute?: boolean;
  ports: readonly Port[];
  /** `admin`: the bootstrap token, or a scoped token that the policy takes for an administrator's. */
  access: 'anyone' | 'admin';
  /** Top-level fields of the body; `object` ones must be there and be objects, others may be anything or missing. */
  body?: Readonly<Record<string, 'object' | 'optional'>>;
  /** Looked at before the caller's rights, where the original does so. */
  precheck?: (asked: Asked) => void;
  handle: (asked: Asked) => Promise<Answer> | Answer;
}

export const PUBLIC: readonly Port[] = ['public'];
export const ADMIN: readonly Port[] = ['admin'];
export const BOTH: readonly Port[] = ['public', 'admin'];

/** An object of the body that {@link Operation.body} promised. */
export const objectOf = (asked: Asked, field: string): Record<string, unknown> =>
  asked.body[field] as Record<string, unknown>;
