import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Clock, systemClock } from '@folsom/core';
import koffi from 'koffi';

interface Collect {
  (options: { type: 'major'; execution: 'async' }): Promise<void>;
  (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }): void;
}

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
  await trim();
}

/**
 * The same to the last page. V8 keeps the pages of collected objects for the next ones (70 MB of a cloud after 64 large
 * uploads), unless it is told that nothing else helps. That stops the process for as long as some collections take,
 * a tenth of a second and more: for one that has come to rest.
 */
async function giveBackAll(): Promise<void> {
  collect ??= collector();
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  await trim();
}

async function trim(): Promise<void> {
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
  /** What the process hardly notices. */
  giveBack(): Promise<void>;
  /** For what that has left; stops the process for a moment. */
  giveBackAll(): Promise<void>;
}

const ownFigures: ProcessFigures = {
  busyMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  resident: () => process.memoryUsage.rss(),
  giveBack: giveBackMemory,
  giveBackAll,
};

/**
 * Gives memory back whenever the process has come to rest and holds much more than after the last time: first what costs
 * nothing, then, if that has left much, all. How much is left is seen at the first look afterwards, if the process was at
 * rest until then: what the next work has taken already would count as what cannot be given back.
 */
export function watchMemory(
  clock: Pick<Clock, 'every' | 'monotonic'> = systemClock,
  figures: ProcessFigures = ownFigures,
): { stop(): void } {
  let floor = 0;
  let quiet = 0;
  let given: 'some' | 'all' | null = null;
  let busy = figures.busyMs();
  let at = clock.monotonic();
  const look = (): 'some' | 'all' | null => {
    const [nowBusy, now] = [figures.busyMs(), clock.monotonic()];
    if (now - at < LOOK_MS / 2) return null;
    quiet = nowBusy - busy <= (now - at) * REST_SHARE ? quiet + 1 : 0;
    busy = nowBusy;
    at = now;
    const before = given;
    given = null;
    const resident = figures.resident();
    // V8 gives some back late and by itself: that it holds less is always news.
    if (resident < floor || (before === 'all' && quiet > 0)) floor = resident;
    if (resident - floor < GATHERED_MAX) return null;
    if (before === 'some' && quiet > 0) return 'all';
    return quiet < REST_LOOKS ? null : 'some';
  };
  const timer = clock.every(LOOK_MS, () => {
    const what = look();
    if (what === null) return;
    quiet = 0;
    // What it fails with (a C library without the call) costs memory and nothing else.
    const settle = () => {
      given = what;
      // The work of giving back is none of the process's own.
      busy = figures.busyMs();
      at = clock.monotonic();
    };
    (what === 'all' ? figures.giveBackAll() : figures.giveBack()).then(settle, settle);
  });
  return { stop: () => timer.cancel() };
}
