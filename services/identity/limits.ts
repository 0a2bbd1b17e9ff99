/** Limits of the identity service: sizes in bytes or characters, times in milliseconds. */
export const IDENTITY_LIMITS = {
  /** The original had none; a password of a mebibyte must still get its 400. */
  bodyBytesMax: 2 * 1024 * 1024,
  /** Longest password that is hashed; longer ones are refused before. */
  passwordCharsMax: 4096,
  /** Longest names of tenants and users. */
  nameCharsMax: 64,
  /** Fields of users, tenants, services and endpoints together, as JSON text (MySQL's TEXT). */
  extraBytesMax: 60_000,
  /** Logins waiting for libcrypt; more are told to come back. */
  hashesWaitingMax: 512,
  /** Of these, for one user or name, and how long each may wait. */
  hashesWaitingOfOneMax: 32,
  hashWaitMs: 15_000,
  /** Most rounds of a stored hash; or as many as are configured for new ones. */
  hashRoundsMax: 1_000_000,
  /** How long a verified pair of user and password is recognised without hashing again. */
  verifiedPairMs: 5 * 60_000,
  verifiedPairsMax: 20_000,
  /** Tokens whose facts are kept at hand. */
  tokensCachedMax: 10_000,
  /** How long roles, catalog and tenants read from the database count as fresh: other processes may change them. */
  freshMs: 1_000,
  tenantsCachedMax: 10_000,
  /** Revocations are kept at least this long: tokens of an earlier configuration may live longer than today's do. */
  revocationsKeptMs: 30 * 24 * 60 * 60_000,
  /** How often changes made by other processes are looked for. */
  revocationPollMs: 500,
  /** How often old rows are deleted, and how many at a time. */
  flushEveryMs: 60 * 60_000,
  flushRowsMax: 1_000,
  /** Expired tokens stay this long, so that deleting one is no error. */
  expiredKeptMs: 24 * 60 * 60_000,
  /** Distinct values counted per statistic. */
  statisticValuesMax: 200,
  /** Requests of the same failing kind written to the log per second; the rest is counted. */
  failuresLoggedPerSecond: 10,
  /** Signatures remembered to refuse their second use. */
  signaturesRememberedMax: 100_000,
} as const;
