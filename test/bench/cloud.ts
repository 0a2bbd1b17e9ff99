import { spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startProgram, tempDir } from '@folsom/testing';
import { PORT_OFFSETS } from '../port-offsets.ts';

const OFFSET = PORT_OFFSETS.benchCloud;
const STARTS = 5;
/** Long enough for the first collections and heartbeats, and for memory to be given back. */
const IDLE_MS = 20_000;

/** Seconds from the start of the process to a Node that does nothing: what no program on it can undercut. */
async function bareNode(): Promise<number> {
  const from = performance.now();
  await new Promise(resolve =>
    spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }).once('exit', resolve),
  );
  return (performance.now() - from) / 1000;
}

/** Processor time a process has used, from clock ticks of 10 ms. */
async function processorSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const residentMb = async (pid: number): Promise<number> =>
  Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Start-up time and idle memory of `folsom up` with the fake hypervisor: the whole cloud, and identity and image alone. */
export async function bench(print: (line: string) => void): Promise<void> {
  const bare = median([await bareNode(), await bareNode(), await bareNode()]);
  print(`bare node          ${bare.toFixed(2)} s`);
  print('the whole cloud');
  await measure([], bare, print);
  print('identity and image alone');
  await measure(['--services', 'identity,image'], bare, print);
}

async function measure(
  options: readonly string[],
  bare: number,
  print: (line: string) => void,
): Promise<void> {
  const place = tempDir('bench-cloud');
  const up = async () => {
    const from = performance.now();
    const words = ['up', '--state-dir', join(place.path, 'var'), '--ports-offset', String(OFFSET)];
    const cloud = await startProgram('folsom', [...words, '--compute-driver', 'fake', ...options], {
      logFile: join(place.path, 'terminal.log'),
      until: /^ready in [\d.]+ s$/m,
      timeoutMs: 120_000,
    });
    return { cloud, seconds: (performance.now() - from) / 1000, cpu: await processorSeconds(cloud.pid) };
  };
  try {
    const first = await up();
    await first.cloud.stop();
    print(`first start        ${first.seconds.toFixed(2)} s`);
    const again: number[] = [];
    const cpu: number[] = [];
    const memory: number[] = [];
    for (let run = 0; run < STARTS; run++) {
      // The terminal keeps what earlier starts printed: each gets a new one.
      await rm(join(place.path, 'terminal.log'), { force: true });
      const started = await up();
      again.push(started.seconds);
      cpu.push(started.cpu);
      if (run === STARTS - 1) {
        memory.push(await residentMb(started.cloud.pid));
        await new Promise(resolve => setTimeout(resolve, IDLE_MS));
        memory.push(await residentMb(started.cloud.pid));
      }
      await started.cloud.stop();
    }
    const typical = median(again);
    print(
      `second start       ${typical.toFixed(2)} s  median of ${STARTS}, ${(typical / bare).toFixed(1)} × bare node, ${median(cpu).toFixed(2)} s of processor time`,
    );
    print(
      `memory             ${memory.map(mb => Math.round(mb)).join(' MB when ready, ')} MB idle after ${IDLE_MS / 1000} s`,
    );
  } finally {
    place.remove();
  }
}
