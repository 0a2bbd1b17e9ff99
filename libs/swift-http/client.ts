import net from 'node:net';
import type { World } from '@folsom/core';
import { must } from '@folsom/core';
import { ConnectionBroken, checkCall, type InternalClient, InternalTimeout, type Target } from './calls.ts';
import { openHere, requestHere } from './local-call.ts';
import type { LocalServers } from './local-servers.ts';
import { lendSlab, SLAB_BYTES, takeSlab } from './slabs.ts';
import { Wire } from './wire.ts';

const IDLE_PER_TARGET = 128;
const IDLE_MS = 15_000;

export function createInternalClient({ clock }: Pick<World, 'clock'>, local?: LocalServers): InternalClient {
  const idle = new Map<string, Wire[]>();
  const inbox = Buffer.alloc(SLAB_BYTES);
  const all = new Set<Wire>();
  let closed = false;

  const release = (wire: Wire): void => {
    if (closed || !wire.usable) {
      wire.destroy();
      return;
    }
    const list = idle.get(wire.key);
    wire.idleSince = clock.monotonic();
    if (!list) idle.set(wire.key, [wire]);
    else if (list.length < IDLE_PER_TARGET) list.push(wire);
    else wire.destroy();
  };

  const sweep = clock.every(1000, () => {
    const now = clock.monotonic();
    for (const wire of all) wire.checkTime(now);
    for (const [key, list] of idle) {
      const kept = list.filter(wire => {
        if (wire.usable && now - wire.idleSince < IDLE_MS) return true;
        wire.destroy();
        return false;
      });
      if (kept.length) idle.set(key, kept);
      else idle.delete(key);
    }
  });

  const connect = (target: Target, timeoutMs: number): Promise<Wire> => {
    const key = `${target.ip}:${target.port}`;
    return new Promise((resolve, reject) => {
      let wire: Wire | null = null;
      const socket = net.connect({
        host: target.ip,
        port: target.port,
        noDelay: true,
        // All connections read into the same memory, one after the other; what came is copied out at once.
        onread: {
          buffer: inbox,
          callback: length => {
            wire?.onData(pieceOf(inbox, length));
            return true;
          },
        },
      });
      const timer = clock.after(timeoutMs, () => {
        socket.destroy();
        reject(new InternalTimeout(`no connection to ${key} within ${timeoutMs} ms`));
      });
      socket.once('connect', () => {
        timer.cancel();
        const made = new Wire(socket, key, clock, release, () => all.delete(made));
        wire = made;
        all.add(made);
        resolve(made);
      });
      socket.once('error', error => {
        timer.cancel();
        reject(new ConnectionBroken(`cannot connect to ${key}: ${error.message}`));
      });
    });
  };

  const take = (target: Target): Wire | null => {
    const list = idle.get(`${target.ip}:${target.port}`);
    while (list?.length) {
      const wire = must(list.pop(), 'list is not empty');
      if (wire.usable) return wire;
    }
    return null;
  };

  return {
    request: async (target, call) => {
      checkCall(call);
      if (closed) throw new ConnectionBroken('client closed');
      const handler = local?.find(`${target.ip}:${target.port}`);
      if (handler) return requestHere(handler, target, call, clock);
      const kept = take(target);
      if (kept) {
        try {
          return await kept.request(target, call);
        } catch (error) {
          // The server had closed a kept connection just now; nothing of the request was looked at.
          if (!(error instanceof ConnectionBroken) || kept.answered) throw error;
        }
      }
      return (await connect(target, call.connectTimeoutMs)).request(target, call);
    },
    open: async (target, call) => {
      checkCall(call);
      if (closed) throw new ConnectionBroken('client closed');
      const handler = local?.find(`${target.ip}:${target.port}`);
      if (handler) return openHere(handler, target, call, clock);
      const kept = take(target);
      if (kept) {
        try {
          return await kept.open(target, call);
        } catch (error) {
          if (!(error instanceof ConnectionBroken) || kept.answered) throw error;
        }
      }
      return (await connect(target, call.connectTimeoutMs)).open(target, call);
    },
    close: () => {
      closed = true;
      sweep.cancel();
      for (const wire of all) wire.destroy();
      idle.clear();
    },
  };
}

/** From this size on a piece gets a slab. */
const SLAB_PIECE_MIN = 16_384;

/** A copy of what was received. */
function pieceOf(inbox: Buffer, length: number): Buffer {
  if (length < SLAB_PIECE_MIN) return Buffer.from(inbox.subarray(0, length));
  const slab = takeSlab();
  inbox.copy(slab.bytes, 0, 0, length);
  return lendSlab(slab, length);
}
