import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Clock, systemClock } from '@folsom/core';
import koffi from 'koffi';

type Collect = (options: { type: 'major'; execution: 'async' }) => Promise<void>;

const mallocTrim = koffi.load('libc.so.6').func('int malloc_trim(size_t pad)');
let collect: Collect | null = null;

function collector(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}

/**
 * Gives the system the memory back that large transfers have left. V8 frees buffers only when it next collects, which
 * an idle process never does, and the C library keeps what lies between pieces still in use. The collection stops the
 * process for some milliseconds; the rest is done by a thread.
 */
export async function giveBackMemory(): Promise<void> {
  collect ??= collector();
  await collect({ type: 'major', execution: 'async' });
  await new Promise<void>((resolve, reject) => {
    mallocTrim.async(0, (error: Error | null) => (error ? reject(error) : resolve()));
  });
}

const LOOK_MS = 5_000;
/** Of one processor: with more to do than this the process is not at rest. */
const REST_SHARE = 0.1;
const REST_LOOKS = 2;
/** What may have gathered since the last time, in bytes. */
const GATHERED_MAX = 20 * 1024 * 1024;

/** What {@link watchMemory} goes by; replaced in tests. */
interface ProcessFigures {
  /** Processor time so far, in milliseconds. */
  busyMs(): number;
  /** Resident bytes. */
  resident(): number;
  giveBack(): Promise<void>;
}

const ownFigures: ProcessFigures = {
  busyMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  resident: () => process.memoryUsage.rss(),
  giveBack: giveBackMemory,
};

/**
 * Gives memory back whenever the process has come to rest and holds much more than after the last time. How much that was
 * is seen at the first look afterwards, if the process was at rest until then: what the next work has taken already would
 * count as what cannot be given back.
 */
export function watchMemory(
  clock: Pick<Clock, 'every' | 'monotonic'> = systemClock,
  figures: ProcessFigures = ownFigures,
): { stop(): void } {
  let floor = 0;
  let quiet = 0;
  let given = false;
  let busy = figures.busyMs();
  let at = clock.monotonic();
  const timer = clock.every(LOOK_MS, () => {
    const [nowBusy, now] = [figures.busyMs(), clock.monotonic()];
    if (now - at < LOOK_MS / 2) return;
    quiet = nowBusy - busy <= (now - at) * REST_SHARE ? quiet + 1 : 0;
    busy = nowBusy;
    at = now;
    if (given && quiet > 0) floor = figures.resident();
    given = false;
    if (quiet < REST_LOOKS || figures.resident() - floor < GATHERED_MAX) return;
    quiet = 0;
    // What it fails with (a C library without the call) costs memory and nothing else.
    const settle = () => {
      given = true;
      // The work of giving back is none of the process's own.
      busy = figures.busyMs();
      at = clock.monotonic();
    };
    figures.giveBack().then(settle, settle);
  });
  return { stop: () => timer.cancel() };
}
