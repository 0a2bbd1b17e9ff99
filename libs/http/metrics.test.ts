import { once } from 'node:events';
import { connect } from 'node:net';
import { Gauge, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { serveMetrics } from './metrics.ts';

const at = { host: '127.0.0.1', port: 0 };
const portOf = (address: string) => Number(address.split(':')[1]);

describe('the listener of metrics', () => {
  it('cuts off a head that comes slowly', async () => {
    const metrics = await serveMetrics(new Registry(), at, { headersMs: 300, stallMs: 600_000 });
    const socket = connect(portOf(metrics.address), '127.0.0.1', () =>
      socket.write('GET /metrics HTTP/1.1\r\n'),
    );
    const drip = setInterval(() => socket.write('x'), 50);
    socket.on('error', () => {}).resume();
    await once(socket, 'close');
    clearInterval(drip);
    await metrics.stop();
  });

  it('lets go of a reader who takes nothing', async () => {
    const registry = new Registry();
    // More than the kernel keeps for him.
    new Gauge({ name: 'large', help: 'x'.repeat(32 * 1024 ** 2), registers: [registry] });
    const metrics = await serveMetrics(registry, at, { headersMs: 600_000, stallMs: 300 });
    const socket = connect(portOf(metrics.address), '127.0.0.1', () =>
      socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'),
    );
    socket.on('error', () => {});
    await once(socket, 'readable');
    let taken = 0;
    await new Promise(resolve => setTimeout(resolve, 1500));
    socket.on('data', chunk => {
      taken += chunk.length;
    });
    socket.resume();
    await once(socket, 'close');
    expect(taken).toBeLessThan(16 * 1024 ** 2);
    await metrics.stop();
  });
});
