import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProgram, tempDir } from '@folsom/testing';

const OFFSET = -3500;
const STARTS = 5;
/** Long enough for the first collections and heartbeats. */
const IDLE_MS = 10_000;

/** Seconds from the start of the process to a Node that does nothing: what no program on it can undercut. */
async function bareNode(): Promise<number> {
  const from = performance.now();
  await new Promise(resolve =>
    spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }).once('exit', resolve),
  );
  return (performance.now() - from) / 1000;
}

const residentMb = async (pid: number): Promise<number> =>
  Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Start-up time and idle memory of the whole cloud as `folsom up` runs it, with the fake hypervisor. */
export async function bench(print: (line: string) => void): Promise<void> {
  const place = tempDir('bench-cloud');
  const up = async () => {
    const from = performance.now();
    const cloud = await startProgram(
      'folsom',
      [
        'up',
        '--state-dir',
        join(place.path, 'var'),
        '--ports-offset',
        String(OFFSET),
        '--compute-driver',
        'fake',
      ],
      { logFile: join(place.path, 'terminal.log'), until: /^ready in [\d.]+ s$/m, timeoutMs: 120_000 },
    );
    return { cloud, seconds: (performance.now() - from) / 1000 };
  };
  try {
    const bare = median([await bareNode(), await bareNode(), await bareNode()]);
    const first = await up();
    await first.cloud.stop();
    print(`first start        ${first.seconds.toFixed(2)} s  (bare node ${bare.toFixed(2)} s)`);
    const again: number[] = [];
    const memory: number[] = [];
    for (let run = 0; run < STARTS; run++) {
      const { cloud, seconds } = await up();
      again.push(seconds);
      if (run === STARTS - 1) {
        memory.push(await residentMb(cloud.pid));
        await new Promise(resolve => setTimeout(resolve, IDLE_MS));
        memory.push(await residentMb(cloud.pid));
      }
      await cloud.stop();
    }
    const typical = median(again);
    print(
      `second start       ${typical.toFixed(2)} s  median of ${STARTS}, ${(typical / bare).toFixed(1)} × bare node`,
    );
    print(
      `memory             ${memory.map(mb => Math.round(mb)).join(' MB when ready, ')} MB idle after ${IDLE_MS / 1000} s`,
    );
  } finally {
    place.remove();
  }
}
