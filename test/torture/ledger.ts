/** What clients know: what was acknowledged to them, and what they may not be sure of. */
export interface Ledger {
  servers: Map<string, KnownServer>;
  /** By path below the account's URL; what may stand there, null for nothing. */
  objects: Map<string, { client: number; may: Set<string | null> }>;
  images: Map<string, KnownImage>;
  users: Map<string, { name: string; deletion: Deletion }>;
  /** Answers that no fault explains. */
  wrong: string[];
  /** Requests by kind and outcome. */
  counts: Map<string, { done: number; refused: number; failed: number; silent: number }>;
}

export type Deletion = 'none' | 'asked' | 'acknowledged';

export interface KnownServer {
  id: string;
  tenant: string;
  deletion: Deletion;
}
export interface KnownImage {
  id: string;
  md5: string;
  /** Of its owner. */
  token: string;
  deletion: Deletion;
}

export const emptyLedger = (): Ledger => ({
  servers: new Map(),
  objects: new Map(),
  images: new Map(),
  users: new Map(),
  wrong: [],
  counts: new Map(),
});

export type Outcome = 'done' | 'refused' | 'failed' | 'silent';

export function count(ledger: Ledger, kind: string, outcome: Outcome): void {
  const counts = ledger.counts.get(kind) ?? { done: 0, refused: 0, failed: 0, silent: 0 };
  counts[outcome]++;
  ledger.counts.set(kind, counts);
}
