export {
  ConnectionBroken,
  createInternalClient,
  type InternalClient,
  type InternalResponse,
  InternalTimeout,
  internalText,
  type OpenRequest,
  type Target,
} from './client.ts';
export { httpDate, parseHttpDate } from './dates.ts';
export { type LocalServers, localServers } from './local-servers.ts';
export {
  type AnsweredRequest,
  answer,
  BadFraming,
  type BodyStream,
  bodyOf,
  bytesFromUtf8,
  ClientDisconnected,
  ClientTimeout,
  dropBody,
  EMPTY_BODY,
  type Headers,
  lowerName,
  parseTarget,
  queryParameter,
  quotePath,
  REASONS,
  type RequestBody,
  readAll,
  responseBytes,
  type ServerRequest,
  type ServerResponse,
  splitPath,
  unquoteBytes,
  utf8FromBytes,
} from './message.ts';
export { createHttpServer, type HttpServer, type ListenOptions, listenOptions, titleCase } from './server.ts';
export { lendSlab, releaseSlab, SLAB_BYTES, type Slab, takeSlab } from './slabs.ts';
