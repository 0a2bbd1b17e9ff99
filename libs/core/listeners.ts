import type { Server } from 'node:net';

/** How many listeners of this process have a port. */
const listening = new Map<number, number>();

/** Ports noted by a composition for its other processes. */
const elsewhere = new Set<number>();

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

/** Notes ports that other processes of the same cloud on this machine listen on. */
export function noteListeningPorts(ports: Iterable<number>): void {
  for (const port of ports) elsewhere.add(port);
}

/** Whether the cloud listens on a port of this machine, on whichever of its addresses. */
export const isListening = (port: number): boolean => listening.has(port) || elsewhere.has(port);
