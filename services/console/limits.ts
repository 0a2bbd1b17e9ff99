import { GUARD, type Guard } from '@folsom/http';

/** Limits of the console services: sizes in bytes, times in milliseconds. */
export const CONSOLE_LIMITS = {
  /** Tokens kept in memory; the oldest goes first. */
  tokensMax: 100_000,
  /** Tokens remembered for one instance. */
  tokensOfInstanceMax: 200,
  tokenCharsMax: 200,
  /** Reaching a guest's VNC port. */
  connectMs: 10_000,
  requestBytesMax: 16_384,
  /** One websocket message of a client; pasted text is the longest. */
  messageBytesMax: 4 * 1024 * 1024,
  /** Unsent bytes to a slow side at which the fast one is paused. */
  bufferedBytesMax: 1024 * 1024,
  /** Silence after which a client is asked whether it is there. */
  pingMs: 30_000,
  connectionsMax: 2000,
} as const;

/** A client of the proxies that has not sent its whole request by then, or takes nothing, is cut off. */
export const CONSOLE_GUARD: Guard = { ...GUARD, headersMs: 15_000 };
