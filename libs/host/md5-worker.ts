import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

/** What the digesting thread is told. `memory` is shared with the sender, who leaves it alone until it is answered. */
export type DigestRequest =
  | { kind: 'update'; id: number; sequence: number; memory: SharedArrayBuffer; length: number }
  | { kind: 'digest'; id: number; sequence: number }
  | { kind: 'fork'; id: number; as: number }
  | { kind: 'drop'; id: number };

export interface DigestAnswer {
  sequence: number;
  digest?: string;
}

const hashes = new Map<number, Hash>();

parentPort?.on('message', (request: DigestRequest) => {
  const { id } = request;
  if (request.kind === 'drop') {
    hashes.delete(id);
    return;
  }
  const hash = hashes.get(id) ?? createHash('md5');
  if (request.kind === 'fork') {
    hashes.set(request.as, hash.copy());
    return;
  }
  const answer: DigestAnswer = { sequence: request.sequence };
  if (request.kind === 'update') {
    hashes.set(id, hash.update(new Uint8Array(request.memory, 0, request.length)));
  } else {
    hashes.delete(id);
    answer.digest = hash.digest('hex');
  }
  parentPort?.postMessage(answer);
});
