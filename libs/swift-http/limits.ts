import { LIMITS } from '@folsom/core';

/** What a peer may send, and how slowly. All of them hold for the server; those of heads and framing for the client, too. */
export const HTTP_LIMITS = {
  /** A head, its line ends included. */
  headBytesMax: 2 * LIMITS.headerBytesMax,
  /** The head of an answer of a storage server, which repeats the metadata of an object. */
  answerHeadBytesMax: 64 * 1024,
  /** Header lines of a head. */
  headerCountMax: 1000,
  /** A request target; longer ones are answered 414. */
  targetCharsMax: 8192,
  /** From the first byte of a head to its last, however the bytes come. */
  headMsMax: LIMITS.headersTimeoutMs,
  /** Between two requests of a connection, and before the first. */
  idleMsMax: LIMITS.keepAliveTimeoutMs,
  /** A reader who takes nothing of an answer for so long is gone. */
  writeStallMs: LIMITS.writeStallMs,
  /** A client may be silent so long within a body. */
  bodySilenceMs: 60_000,
  /** One line of chunk framing: size and extension. */
  chunkLineBytesMax: 4096,
  /** Extensions of all chunks of one body. */
  chunkExtensionBytesMax: 16_384,
  /** Trailers of one body. */
  trailerBytesMax: 16_384,
  trailerCountMax: 100,
  /** What waits of a body before its sender is held up. */
  bodyQueueBytesMax: 512 * 1024,
  /** The same for an answer. */
  answerQueueBytesMax: 256 * 1024,
  /** What is kept of requests that were sent before the answer to the first. */
  pipelineBytesMax: 64 * 1024,
  /** What is read of a body nobody wanted, so that its sender sees the answer. */
  drainBytesMax: 256 * 1024,
  /** How long a connection that is being closed stays for its peer to read. */
  lingerMs: 2000,
} as const;
