import type { Clock } from '@folsom/core';
import { BATCH_HEADER, BATCH_METHOD, BATCH_REQUESTS_MAX, type BatchedRequest } from '@folsom/swift';
import { type InternalClient, internalText, type Target } from '@folsom/swift-http';

/** Sends updates to container servers; several that come within a moment as one, to servers that take them so. */
export interface UpdateSender {
  /** The status that an update got. Throws when the server did not answer. */
  send(target: Target, update: BatchedRequest): Promise<number>;
}

export interface UpdateLimits {
  connectTimeoutMs: number;
  timeoutMs: number;
}

/** The server would rather be told by itself: it has to wait for somebody, or has more to say. */
const BY_ITSELF = 503;
/** An answer that takes longer holds up nobody else. */
const PATIENCE_MS = 100;

interface Waiting {
  update: BatchedRequest;
  done(status: number | Promise<number>): void;
  failed(error: unknown): void;
}

/** A server that takes batches: what waits while it is busy with the last one. */
interface Lane {
  busy: boolean;
  waiting: Waiting[];
}

/**
 * An update goes out at once while nothing is under way to its server; those that come meanwhile go together when the
 * answer is there. So nobody waits for others to come, and the busier a server is, the more it is told in one go.
 */
export function updateSender(client: InternalClient, limits: UpdateLimits, clock: Clock): UpdateSender {
  const lanes = new Map<string, Lane>();
  const keyOf = (target: Target): string => `${target.ip}:${target.port}`;

  const alone = async (target: Target, [method, path, headers]: BatchedRequest): Promise<number> => {
    const response = await client.request(target, {
      method,
      path,
      headers: Object.entries(headers),
      ...limits,
    });
    if (response.headers.has(BATCH_HEADER) && !lanes.has(keyOf(target)))
      lanes.set(keyOf(target), { busy: false, waiting: [] });
    await internalText(response);
    return response.status;
  };

  const together = async (target: Target, batch: readonly Waiting[]): Promise<void> => {
    const response = await client.request(target, {
      method: BATCH_METHOD,
      path: '/',
      headers: [['Content-Type', 'application/json']],
      body: Buffer.from(JSON.stringify(batch.map(({ update }) => update))),
      ...limits,
    });
    const text = await internalText(response);
    const statuses = response.status === 200 ? statusesIn(text, batch.length) : null;
    // An original server stands there now.
    if (!statuses) lanes.delete(keyOf(target));
    batch.forEach(({ update, done }, i) => {
      const status = statuses?.[i] ?? BY_ITSELF;
      done(status === BY_ITSELF ? alone(target, update) : status);
    });
  };

  const drain = (target: Target, lane: Lane): void => {
    if (lane.busy || lane.waiting.length === 0) return;
    const batch = lane.waiting.splice(0, BATCH_REQUESTS_MAX);
    lane.busy = true;
    let mine = true;
    const free = (): void => {
      if (!mine) return;
      mine = false;
      lane.busy = false;
      drain(target, lane);
    };
    const timer = clock.after(PATIENCE_MS, free);
    together(target, batch)
      .catch(error => {
        lanes.delete(keyOf(target));
        for (const { failed } of batch) failed(error);
      })
      .finally(() => {
        timer.cancel();
        free();
      });
  };

  return {
    send: (target, update) => {
      const lane = lanes.get(keyOf(target));
      if (!lane) return alone(target, update);
      return new Promise((done, failed) => {
        lane.waiting.push({ update, done, failed });
        drain(target, lane);
      });
    },
  };
}

function statusesIn(text: Buffer, count: number): number[] | null {
  try {
    const read: unknown = JSON.parse(text.toString('utf8'));
    if (!Array.isArray(read) || read.length !== count) return null;
    return read.every(status => typeof status === 'number') ? read : null;
  } catch {
    return null;
  }
}
