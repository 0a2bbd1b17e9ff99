/** Limits that every service shares: sizes in bytes, times in milliseconds. A service's own stand in its folder. */
export const LIMITS = {
  /** nova's osapi_max_request_body_size; also the default for JSON and XML bodies elsewhere. */
  jsonBodyBytesMax: 114_688,
  /** All header lines of a request together. */
  headerBytesMax: 16_384,
  /** XML documents: nesting and number of elements. */
  xmlDepthMax: 64,
  xmlElementsMax: 20_000,
  /** A client that sends its headers more slowly than this is cut off. */
  headersTimeoutMs: 30_000,
  /** A JSON or XML body that arrives more slowly than this is given up. */
  bodyTimeoutMs: 60_000,
  /** A reader who takes nothing of an answer for so long is gone. */
  writeStallMs: 60_000,
  /** Connections the kernel keeps for a server until it accepts them. */
  listenBacklog: 4096,
  /** Idle keep-alive connections. */
  keepAliveTimeoutMs: 65_000,
  /** How long a stopping server waits for requests in flight. */
  stopGraceMs: 10_000,
  /** How long a stopping server waits for the first byte on a new connection. */
  stopSilentMs: 1_000,
  /** Default for one remote call between services. */
  remoteCallMs: 60_000,
} as const;
