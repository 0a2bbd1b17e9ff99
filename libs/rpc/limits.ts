/** Limits of the bus: sizes in bytes, times in milliseconds. */
export const RPC_LIMITS = {
  /** Longest body published or accepted. Console output and file injection stay far below. */
  messageBytesMax: 16 * 1024 * 1024,
  /** Handlers one served topic runs at once; Folsom's rpc_thread_pool_size. */
  handlersMax: 64,
  /** Messages that wait for a worker of a topic in process; the oldest is dropped beyond. */
  pendingMax: 20_000,
  /** How long a stopping server waits for handlers in flight. */
  stopGraceMs: 30_000,
  /** How long a cast waits for a broker that is away before it is refused. */
  publishMs: 60_000,
  /** Reply addresses kept for further calls; see reply-slots.ts. */
  idleReplySlotsMax: 64,
  /** Finished message ids remembered to recognise a redelivery. */
  rememberedIdsMax: 4096,
  /** Longest pause between two attempts to reach the broker. */
  reconnectPauseMaxMs: 30_000,
} as const;
