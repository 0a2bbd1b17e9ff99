import { once } from 'node:events';
import { connect } from 'node:net';
import { counter, gauge, histogram } from '@folsom/core';
import { describe, expect, it } from 'vitest';
import { serveMetrics } from './metrics.ts';
import { createMetrics } from './metrics-registry.ts';

const at = { host: '127.0.0.1', port: 0 };
const portOf = (address: string) => Number(address.split(':')[1]);

describe('the listener of metrics', () => {
  it('cuts off a head that comes slowly', async () => {
    const metrics = await serveMetrics(createMetrics({ ofProcess: false }), at, {
      headersMs: 300,
      stallMs: 600_000,
    });
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
    const registry = createMetrics({ ofProcess: false });
    // More than the kernel keeps for him.
    registry.declare({ large: gauge('large', 'x'.repeat(32 * 1024 ** 2), []) });
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

describe('what is counted', () => {
  const text = async (use: (metrics: ReturnType<typeof createMetrics>) => void) => {
    const metrics = createMetrics({ ofProcess: false });
    use(metrics);
    return (await metrics.text()).split('\n').filter(line => line !== '' && !line.startsWith('#'));
  };
  const boots = counter('boots_total', 'Boots.', ['host', 'outcome']);
  const seconds = histogram('step_seconds', 'Steps.', ['step'], [0.1, 1]);
  const free = gauge('free_bytes', 'Room.', ['disk']);

  it('is told in the form of Prometheus', async () => {
    const lines = await text(metrics => {
      metrics.add(boots, ['a', 'ok']);
      metrics.add(boots, ['a', 'ok'], 2);
      metrics.add(boots, ['b', 'say "no"\n']);
      for (const value of [0.1, 0.5, 7]) metrics.observe(seconds, ['disk'], value);
    });
    expect(lines).toEqual([
      'boots_total{host="a",outcome="ok"} 3',
      'boots_total{host="b",outcome="say \\"no\\"\\n"} 1',
      'step_seconds_bucket{le="0.1",step="disk"} 1',
      'step_seconds_bucket{le="1",step="disk"} 2',
      'step_seconds_bucket{le="+Inf",step="disk"} 3',
      'step_seconds_sum{step="disk"} 7.6',
      'step_seconds_count{step="disk"} 3',
    ]);
  });

  it('is read when somebody looks; one reader that fails does not take the others away', async () => {
    let asked = 0;
    const lines = await text(metrics => {
      metrics.read(free, () => Promise.reject(new Error('the disk is gone')));
      metrics.read(free, () => {
        asked++;
        return [[['state'], 5]];
      });
      metrics.read(free, async () => [
        [['state'], 2],
        [['images'], 1],
      ]);
      metrics.read(free, () => [[['ended'], 1]])();
    });
    expect([lines, asked]).toEqual([['free_bytes{disk="state"} 7', 'free_bytes{disk="images"} 1'], 1]);
  });

  it('stands there before there is anything to tell, and never grows without end', async () => {
    const metrics = createMetrics({ ofProcess: false });
    metrics.declare({ boots });
    expect(await metrics.text()).toContain('# TYPE boots_total counter');
    for (let n = 0; n < 20_000; n++) metrics.add(boots, [`host-${n}`, 'ok']);
    const told = (await metrics.text()).split('\n');
    expect(told.length).toBeLessThan(6000);
    expect(told).toContain('boots_total{host="(others)",outcome="(others)"} 15000');
  });
});
