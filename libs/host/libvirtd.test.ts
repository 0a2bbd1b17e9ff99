import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, silentLogger, systemClock } from '@folsom/core';
import { afterEach, expect, it } from 'vitest';
import { ensureLibvirtd, keepLibvirtd, type LibvirtDaemons } from './libvirtd.ts';

const listening: Server[] = [];
const made: string[] = [];
afterEach(() => {
  for (const server of listening.splice(0)) server.close();
  for (const path of made.splice(0)) rmSync(path, { recursive: true });
});

/** A host whose libvirtd ends as often as told before it answers. */
async function hostWhere(ends: number, kept = false) {
  const dir = mkdtempSync(join(tmpdir(), 'libvirtd-'));
  made.push(dir);
  const socket = join(dir, 'libvirt-sock');
  const seen: string[] = [];
  let left = ends;
  const answer = () =>
    new Promise<void>(resolve => {
      const server = createServer(connection => connection.end());
      listening.push(server);
      server.listen(socket, resolve);
    });
  const daemons: LibvirtDaemons = {
    socket,
    kept: async () => kept,
    order: async () => void seen.push('systemd'),
    start: async daemon => {
      seen.push(daemon);
      if (daemon === 'libvirtd' && left-- === 0) await answer();
    },
  };
  return { daemons, seen, answer };
}

const seam = { clock: systemClock, log: silentLogger };

it('a libvirtd that ends while it starts is started again', async () => {
  const { daemons, seen } = await hostWhere(2);
  expect(await ensureLibvirtd(seam, daemons)).toBe(true);
  expect(seen).toEqual(['virtlogd', 'libvirtd', 'virtlogd', 'libvirtd', 'virtlogd', 'libvirtd']);
});

it('where a service manager keeps it, that is asked, once', async () => {
  const { daemons, seen, answer } = await hostWhere(0, true);
  const started = ensureLibvirtd(seam, daemons);
  await expect.poll(() => seen.length).toBe(1);
  await answer();
  expect(await started).toBe(true);
  expect(seen).toEqual(['systemd']);
});

it('the watch starts it again where nothing else keeps it, and there alone', async () => {
  for (const kept of [false, true]) {
    const { daemons, seen } = await hostWhere(0, kept);
    let tick = () => {};
    const clock: Clock = {
      ...systemClock,
      every: (_ms, fn) => {
        tick = fn;
        return { cancel: () => {} };
      },
    };
    const errors: string[] = [];
    const log = { ...silentLogger, error: (text: string) => void errors.push(text) };
    const watch = keepLibvirtd({ clock, log }, daemons);
    tick();
    await expect.poll(() => (kept ? errors : seen).length).toBeGreaterThan(0);
    await watch.stop();
    expect([kept, seen]).toEqual([kept, kept ? [] : ['virtlogd', 'libvirtd']]);
  }
});
