import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fakeClock } from '@folsom/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ControlSeam, runControl } from './control.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'control-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Processes that exist only here: pid to what ends them. */
function machine(more: Partial<ControlSeam> = {}) {
  const clock = fakeClock();
  const running = new Map<number, (code: number | null) => void>();
  const lines: string[] = [];
  const launched: string[] = [];
  let next = 100;
  const end = (pid: number, code: number | null) => {
    running.get(pid)?.(code);
    running.delete(pid);
  };
  const seam: ControlSeam = {
    clock,
    pidFile: null,
    awaitChildMs: 0,
    captureOutput: false,
    respawn: false,
    runDir: join(dir, 'run'),
    print: line => void lines.push(line),
    launch: async (server, args) => {
      const pid = next++;
      launched.push([server, ...args].join(' '));
      return { pid, ended: new Promise(resolve => running.set(pid, resolve)) };
    },
    isRunning: pid => running.has(pid),
    terminate: pid => {
      const known = running.has(pid);
      end(pid, 0);
      return known;
    },
    ...more,
  };
  const said = () => lines.splice(0).map(line => line.replaceAll(dir, 'DIR'));
  return { seam, clock, running, end, said, launched };
}

it('starts, refuses to start twice, stops', async () => {
  const { seam, said, launched } = machine();
  const conf = join(dir, 'glance-api.conf');
  writeFileSync(conf, '');
  expect(await runControl(seam, ['api', 'start', conf])).toBe(0);
  expect(launched).toEqual([`glance-api --config-file ${conf}`]);
  expect(said()).toEqual(['Starting glance-api with DIR/glance-api.conf']);
  expect(readFileSync(join(dir, 'run', 'glance-api.pid'), 'utf8')).toBe('100\n');
  await runControl(seam, ['glance-api', 'START']);
  expect(said()).toEqual(['glance-api appears to already be running: DIR/run/glance-api.pid']);
  await runControl(seam, ['api', 'restart']);
  expect(said()).toEqual(['Stopping glance-api  pid: 100  signal: 15', 'Restarting glance-api']);
  await runControl(seam, ['all', 'stop']);
  expect(said()).toEqual([
    'Stopping glance-api  pid: 101  signal: 15',
    'No glance-registry running',
    'No glance-scrubber running',
  ]);
});

it('removes stale pid files and says when a process is gone', async () => {
  const pidFile = join(dir, 'mine.pid');
  const { seam, said } = machine({ pidFile });
  writeFileSync(pidFile, '4242\n');
  await runControl(seam, ['registry', 'start']);
  expect(said()).toEqual(['Removing stale pid file DIR/mine.pid', 'Starting glance-registry']);
  writeFileSync(pidFile, '4242\n');
  await runControl(seam, ['registry', 'shutdown']);
  expect(said()[1]).toBe('Process 4242 not running');
  expect(existsSync(pidFile)).toBe(false);
});

it('gives the exit code of a server that ends while awaited', async () => {
  const { seam, end, clock } = machine({ awaitChildMs: 5000, pidFile: join(dir, 'await.pid') });
  const first = runControl(seam, ['api', 'start']);
  await clock.advance(10);
  end(100, 3);
  expect(await first).toBe(3);
  const second = runControl(seam, ['api', 'start']);
  await clock.advance(6000);
  expect(await second).toBe(0);
});

it('starts again what ended by itself, but not what bounces or was stopped', async () => {
  const pidFile = join(dir, 'respawn.pid');
  const { seam, end, clock, said } = machine({ respawn: true, pidFile });
  const done = runControl(seam, ['api', 'start']);
  await clock.advance(2000);
  end(100, 1);
  await clock.advance(2000);
  expect(said()).toEqual(['Starting glance-api', 'Respawning glance-api']);
  await runControl(seam, ['api', 'stop']);
  expect(await done).toBe(0);
  expect(said().at(-1)).toBe('Suppressed respawn as glance-api was deliberately stopped.');
  const bouncing = runControl(seam, ['api', 'start']);
  await clock.advance(10);
  end(102, 1);
  expect(await bouncing).toBe(1);
});

it('names what it does not know', async () => {
  const { seam } = machine();
  await expect(runControl(seam, ['cinder', 'start'])).rejects.toThrow(/Unknown server 'glance-cinder'/);
  await expect(runControl(seam, ['api', 'jump'])).rejects.toThrow(/Unknown command jump/);
  await expect(runControl({ ...seam, respawn: true, awaitChildMs: 1 }, ['api', 'start'])).rejects.toThrow(
    /mutually exclusive/,
  );
});
