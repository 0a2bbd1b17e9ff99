import type { Server } from 'node:net';

/** How many listeners of this process have a port. */
const listening = new Map<number, number>();

/** Notes what a server listens on until it is closed; call it when it listens. */
export function noteListener(server: Pick<Server, 'address' | 'once'>): void {
  const address = server.address();
  // A unix socket has no port.
  if (address === null || typeof address === 'string') return;
  const { port } = address;
  listening.set(port, (listening.get(port) ?? 0) + 1);
  server.once('close', () => {
    const left = (listening.get(port) ?? 1) - 1;
    if (left > 0) listening.set(port, left);
    else listening.delete(port);
  });
}

/** Whether this process listens on a port, on whichever of the machine's addresses. */
export const isListening = (port: number): boolean => listening.has(port);
