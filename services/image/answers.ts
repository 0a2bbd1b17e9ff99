import type { FastifyReply } from 'fastify';

const JSON_TYPE = 'application/json; charset=UTF-8';
/** What Folsom says of answers without a body. */
export const HTML_TYPE = 'text/html; charset=UTF-8';

/** A JSON answer with the charset in its type, as most of Folsom's have it. */
export const json = (reply: FastifyReply, value: unknown) =>
  reply.header('content-type', JSON_TYPE).send(JSON.stringify(value));

/** An answer that is only a status. */
export const nothing = (reply: FastifyReply, status = 204) =>
  reply.code(status).header('content-type', HTML_TYPE).header('content-length', '0').send();

/** JSON as bytes: of a text the framework would add a charset to the content type, which Folsom does not name here. */
export const plainJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
