/** Limits of the bus: sizes in bytes, times in milliseconds. */
export const RPC_LIMITS = {
  /** Longest body published or accepted. Console output and file injection stay far below. */
  messageBytesMax: 16 * 1024 * 1024,
  /** Handlers one served topic runs at once; Folsom's rpc_thread_pool_size. */
  handlersMax: 64,
  /** Kept messages of one topic handed to the bus at once; the others stay rows meanwhile. */
  keptInFlightMax: 1000,
  /** How long rows of the outbox belong to the process that wrote or took them. */
  outboxLeaseMs: 60_000,
  /** How often rows whose process is gone are looked for. */
  outboxScanMs: 10_000,
  /** First and longest pause before a message that failed for a passing cause is tried again. */
  retryPauseMs: 500,
  retryPauseMaxMs: 30_000,
  /** Attempts in all: some minutes for brief troubles, about an hour for an outage. */
  briefAttemptsMax: 10,
  outageAttemptsMax: 120,
  /** Dead letters the broker keeps; the oldest go first. */
  deadLettersMax: 10_000,
  /** How long a stopping server waits for handlers in flight. */
  stopGraceMs: 30_000,
  /** How long a cast waits for a broker that is away before it is refused. */
  publishMs: 60_000,
  /** Reply addresses kept for further calls; see reply-slots.ts. */
  idleReplySlotsMax: 64,
  /** Finished message ids remembered to recognise a redelivery. */
  rememberedIdsMax: 4096,
  /** Longest pause between two attempts to reach the broker, unless `rabbit_retry_interval` is longer. */
  reconnectPauseMaxMs: 3_000,
} as const;
