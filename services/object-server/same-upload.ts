import { must } from '@folsom/core';
import type { Digest } from '@folsom/host/md5-thread';
import { holdSlab, releaseSlab } from '@folsom/swift-http';

/** Batches that one upload keeps for those of its replicas that lag, and that all uploads keep together. */
const KEPT_MAX = 8;
const ALL_KEPT_MAX = 64;

/** Bytes that were digested and that some replicas have not shown yet. */
interface Batch {
  /** The whole of its memory. */
  memory: Buffer;
  length: number;
  /** The sum of all that comes before it. */
  before: Digest;
  digested: Promise<void>;
  missing: Set<Replica>;
}

/** Replicas of one upload, as far as they have brought the same bytes. */
interface Group {
  key: string;
  sum: Digest;
  /** Number of the first of `kept`: what comes before was compared by all. */
  first: number;
  kept: Batch[];
  replicas: Set<Replica>;
  /** The sum after so many batches, once somebody asked for it. */
  end: { batches: number; sum: Promise<string> } | null;
}

/** One of them. */
interface Replica {
  /** Batches it has brought. */
  batches: number;
  /** Its own sum, once it goes its own way. */
  own: Digest | null;
}

const groups = new Map<string, Group>();
let kept = 0;

/**
 * The MD5 of an upload of which other replicas may be coming to other devices of this process: what the first of them
 * brings is digested, and the others' bytes are compared with it, which takes a tenth of the time. A replica whose bytes
 * differ, or which lags far behind, is digested by itself from there on. All must bring batches of the same sizes, in
 * memory that is lent (see slabs) or is left alone until the last of them is done.
 * @param key the same for all of them
 * @param make begins a digest
 */
export function sharedMd5(key: string, make: () => Digest): Digest {
  const found = groups.get(key);
  // Who comes when bytes have come already might find the first of them gone.
  if (found && (found.first > 0 || found.kept.length > 0)) return make();
  const group = found ?? { key, sum: make(), first: 0, kept: [], replicas: new Set(), end: null };
  groups.set(key, group);
  const replica: Replica = { batches: 0, own: null };
  group.replicas.add(replica);
  return memberOf(group, replica);
}

function memberOf(group: Group, replica: Replica): Digest {
  return {
    update: (memory, length) => {
      if (replica.own) return replica.own.update(memory, length);
      const at = replica.batches - group.first;
      replica.batches++;
      const batch = group.kept[at];
      if (!batch) return lead(group, replica, memory, length);
      if (sameBytes(batch, memory, length)) {
        batch.missing.delete(replica);
        forget(group);
        return batch.digested;
      }
      const own = goOwnWay(group, replica, batch.before);
      return own.update(memory, length);
    },
    fork: () => {
      throw new Error('a shared digest is not forked');
    },
    finish: () => {
      if (replica.own) return replica.own.finish();
      const sum = sumSoFar(group, replica);
      leave(group, replica);
      return sum;
    },
    drop: () => {
      if (replica.own) replica.own.drop();
      else leave(group, replica);
    },
  };
}

const sameBytes = (batch: Batch, memory: SharedArrayBuffer, length: number): boolean =>
  batch.length === length && batch.memory.subarray(0, length).equals(Buffer.from(memory, 0, length));

/** Digests what nobody has brought before, and keeps it for the others. */
function lead(group: Group, replica: Replica, bytes: SharedArrayBuffer, length: number): Promise<void> {
  const missing = new Set(group.replicas);
  missing.delete(replica);
  if (missing.size === 0) {
    group.first++;
    return group.sum.update(bytes, length);
  }
  const before = group.sum.fork();
  const digested = group.sum.update(bytes, length);
  const memory = Buffer.from(bytes);
  holdSlab(memory);
  group.kept.push({ memory, length, before, digested, missing });
  kept++;
  if (group.kept.length > KEPT_MAX || kept > ALL_KEPT_MAX) {
    const oldest = must(group.kept[0], 'one was just added');
    for (const late of oldest.missing) goOwnWay(group, late, oldest.before);
  }
  return digested;
}

/** The sum of what a replica has brought; it is the last thing that the replica asks for. */
function sumSoFar(group: Group, replica: Replica): Promise<string> {
  const { batches } = replica;
  if (group.end?.batches === batches) return group.end.sum;
  const behind = group.kept[batches - group.first];
  // The others went on: it has fewer bytes than they.
  if (behind) return behind.before.fork().finish();
  const sum = group.sum.fork().finish();
  group.end = { batches, sum };
  return sum;
}

function goOwnWay(group: Group, replica: Replica, before: Digest): Digest {
  const own = before.fork();
  replica.own = own;
  leave(group, replica);
  return own;
}

function leave(group: Group, replica: Replica): void {
  group.replicas.delete(replica);
  for (const batch of group.kept) batch.missing.delete(replica);
  forget(group);
  if (group.replicas.size > 0) return;
  groups.delete(group.key);
  group.sum.drop();
}

/** Lets go of batches that everybody has brought: always the oldest, since each brings them in their order. */
function forget(group: Group): void {
  for (let oldest = group.kept[0]; oldest?.missing.size === 0; oldest = group.kept[0]) {
    group.kept.shift();
    group.first++;
    kept--;
    const { memory, before, digested } = oldest;
    before.drop();
    // The thread reads it until then.
    const release = () => releaseSlab(memory);
    digested.then(release, release);
  }
}
