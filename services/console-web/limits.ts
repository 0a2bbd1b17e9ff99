/** Limits of the console: times in milliseconds, sizes in bytes. */
export const CONSOLE_WEB_LIMITS = {
  /** Sessions in memory; beyond it the one unused for longest ends. Only a login makes one. */
  sessionsMax: 5_000,
  /** Sessions of one user. */
  sessionsOfUserMax: 20,
  /** How often it is looked which sessions are over. */
  sweepMs: 30_000,
  /** Logins that failed for one client within {@link failuresWithinMs}. */
  failuresMax: 10,
  failuresWithinMs: 60_000,
  /** Clients whose failures are remembered. */
  failingClientsMax: 10_000,
  /** An answer of keystone's that we read ourselves. */
  jsonBytesMax: 4 * 1024 * 1024,
  /** One exchange that we read ourselves. */
  exchangeMs: 30_000,
  /** From a request that is passed on to the head of its answer: a large upload is hashed and stored before that. */
  answerMs: 120_000,
  /** Between two pieces of a body. */
  idleMs: 120_000,
  /** Connections to services are kept this long. */
  keepAliveMs: 10_000,
  /** Screens open at a time. */
  screensMax: 200,
  /** Of one user. */
  screensOfUserMax: 20,
  /** One message of a screen. */
  screenMessageBytesMax: 4 * 1024 * 1024,
  /** What is waiting for a slow browser before its screen pauses. */
  screenBufferedBytesMax: 4 * 1024 * 1024,
} as const;
