export {
  ConnectionBroken,
  type InternalClient,
  type InternalResponse,
  InternalTimeout,
  internalText,
  type OpenRequest,
  type Target,
} from './calls.ts';
export { createInternalClient } from './client.ts';
export { httpDate, parseHttpDate } from './dates.ts';

export { type LocalServers, localServers } from './local-servers.ts';
export {
  type AnsweredRequest,
  answer,
  BadFraming,
  type BodyStream,
  bodyOf,
  brokenBodyAnswer,
  ClientDisconnected,
  ClientTimeout,
  dropBody,
  EMPTY_BODY,
  type Headers,
  intoMemory,
  lowerName,
  REASONS,
  type RequestBody,
  readAll,
  responseBytes,
  type ServerRequest,
  type ServerResponse,
} from './message.ts';
export { titleCase } from './response-writer.ts';
export { createHttpServer, type HttpServer, type ListenOptions, listenOptions } from './server.ts';
export { holdSlab, lendSlab, releaseSlab, SLAB_BYTES, type Slab, takeSlab } from './slabs.ts';
export {
  bytesFromUtf8,
  parseTarget,
  queryParameter,
  quotePath,
  splitPath,
  unquoteBytes,
  utf8FromBytes,
} from './target.ts';
