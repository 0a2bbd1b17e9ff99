import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, systemClock } from '@folsom/core';
import { type Database, openDatabase } from '@folsom/db';
import { type BackgroundProcess, startBackground } from '@folsom/host/background';
import {
  freePorts,
  programArgv,
  runProgram,
  startMariaDb,
  startMemcached,
  startRabbit,
  tempDir,
} from '@folsom/testing';
import { type Facts, type Files, writeFiles } from './configuration.ts';
import type { Mixture } from './mixtures.ts';
import { writeObjectFiles } from './object-configuration.ts';
import { findOriginals, type Originals } from './originals.ts';
import { LISTENERS, type Listener, PLACES, type Place, type Side } from './programs.ts';
import type { Spent } from './report.ts';

/** What a cloud of both sides stands on, and what runs in it. */
export interface Cloud {
  facts: Facts;
  /** Nova's database, as an observer sees it. */
  nova: Database;
  /** Runs one of the originals' programs that end by themselves. */
  manage(project: 'keystone' | 'glance' | 'nova', words: readonly string[]): Promise<string>;
  /** Exchanges what is of another side than the mixture wants, and waits until all of it serves; gives how long each took. */
  turn(mixture: Mixture): Promise<Spent[]>;
  /** Copies what the programs have said to a place that stays; gives its path. */
  keepLogs(): Promise<string>;
  stop(): Promise<void>;
}

/** Imports of Python on a machine that does much else. */
const READY_MS = 300_000;
const STOP_MS = 30_000;
/** How many are started at once: they wait for half of the time, until they have said that they are there. */
const TOGETHER = 6;

/** Starts database, broker and memcached, and has the originals make their tables. Nothing runs yet. */
export async function startCloud(sources: string, python: string): Promise<Cloud> {
  const taken: (() => unknown)[] = [];
  const giveAllBack = async () => {
    for (const giveBack of taken.splice(0).toReversed()) await giveBack();
  };
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= giveAllBack();
    return stopped;
  };
  try {
    return await startOn(sources, python, taken, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startOn(
  sources: string,
  python: string,
  taken: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<Cloud> {
  const place = tempDir('drop-in');
  taken.push(() => place.remove());
  const dir = place.path;
  for (const folder of [
    'log',
    'images',
    'nova/instances',
    'nova/networks',
    'nova/lock',
    'nova/keys',
    'signing',
  ])
    mkdirSync(join(dir, folder), { recursive: true });
  const originals = await findOriginals(sources, python, join(dir, 'eggs'));
  const database = await startMariaDb();
  taken.push(() => database.stop());
  const broker = await startRabbit();
  taken.push(() => broker.stop());
  const memcached = await startMemcached();
  taken.push(() => memcached.stop());
  for (const name of ['keystone', 'glance', 'nova']) await database.createDatabase(name);
  const numbers = await freePorts(LISTENERS.length);
  const facts: Facts = {
    // Said as in the installations of the time: Python knows no utf8mb4, which is a new server's own.
    ...{
      dir,
      database: name => `${database.url(name)}?charset=utf8`,
      rabbitPort: broker.port,
      memcachedPort: memcached.port,
    },
    ports: Object.fromEntries(LISTENERS.map((name, at) => [name, numbers[at]])) as Record<Listener, number>,
  };
  const files = writeFiles(facts, originals);
  const manage: Cloud['manage'] = async (project, words) =>
    (await originals.run(project, `${project}-manage`, [...files.manage[project], ...words])).stdout;
  await Promise.all([
    manage('nova', ['db', 'sync']),
    manage('keystone', ['db_sync']),
    manage('glance', ['db_sync']),
    writeObjectFiles(facts, originals),
  ]);
  const nova = await openDatabase({ connection: facts.database('nova') });
  taken.push(() => nova.close());
  const programs = startPrograms({ facts, files, originals, nova });
  taken.push(() => programs.turn(new Map()));
  return {
    ...{ facts, nova, manage, stop },
    turn: ({ sides }) => programs.turn(sides),
    keepLogs: async () => {
      const kept = join(tmpdir(), `folsom-drop-in-${process.pid}`);
      await cp(join(dir, 'log'), kept, { recursive: true });
      await cp(join(dir, 'etc'), join(kept, 'etc'), { recursive: true });
      return kept;
    },
  };
}

interface Running {
  side: Side;
  process: BackgroundProcess;
}

interface Ground {
  facts: Facts;
  files: Files;
  originals: Originals;
  nova: Database;
}

/** Which programs run, as `turn` was last told. */
function startPrograms(ground: Ground): { turn(sides: ReadonlyMap<string, Side>): Promise<Spent[]> } {
  const running = new Map<string, Running>();
  const prepared = new Set<string>();

  /** As docs/drop-in.md says: our own tables are made before the first of ours starts. */
  async function prepare({ project }: Place): Promise<void> {
    if (project === 'swift' || prepared.has(project)) return;
    prepared.add(project);
    const words = [...ground.files.manage[project], ...(project === 'nova' ? ['db', 'sync'] : ['db_sync'])];
    const { code, stderr } = await runProgram(`${project}-manage`, words);
    if (code !== 0) throw new Error(`${project}-manage: ${stderr}`);
  }

  async function start(place: Place, side: Side): Promise<void> {
    const args = ground.files.args(place);
    const logFile = join(ground.facts.dir, 'log', `${place.name} ${side}`);
    const beginning = systemClock.now();
    const { argv, env } = ground.originals;
    const words =
      side === 'ours' ? programArgv(place.program, args) : argv(place.project, place.program, args);
    const process = await startBackground(words, {
      ...{ logFile, dieWithParent: true },
      ...(side === 'original' ? { env } : {}),
    });
    running.set(place.name, { side, process });
    const deadline = systemClock.monotonic() + READY_MS;
    while (!(await isReady(ground, place, beginning))) {
      if (process.running && systemClock.monotonic() < deadline) {
        await systemClock.sleep(200);
        continue;
      }
      const why = process.running ? 'is not ready in time' : 'ended at its start';
      // The next mixture tries anew.
      await process.stop(STOP_MS);
      running.delete(place.name);
      throw new Error(`${place.name} (${side}) ${why}:\n${tail(logFile)}`);
    }
  }

  return {
    turn: async sides => {
      const spent: Spent[] = [];
      const timed = async (name: string, work: () => Promise<void>) => {
        const begun = systemClock.monotonic();
        await work();
        spent.push({ name, seconds: (systemClock.monotonic() - begun) / 1000 });
      };
      const changed = PLACES.filter(({ name }) => running.get(name)?.side !== sides.get(name));
      await Promise.all(
        changed.map(async ({ name }) => {
          const old = running.get(name);
          if (old === undefined) return;
          await timed(`stop of ${name} (${old.side})`, () => old.process.stop(STOP_MS));
          running.delete(name);
        }),
      );
      const wanted = changed.filter(({ name }) => sides.has(name));
      for (const place of wanted) if (sides.get(place.name) === 'ours') await prepare(place);
      // Everything asks keystone.
      const identity = wanted.filter(({ project }) => project === 'keystone');
      const rest = wanted.filter(({ project }) => project !== 'keystone');
      for (const some of [identity, rest])
        await eachOf(some, place => {
          const side = must(sides.get(place.name), 'it is wanted');
          return timed(`start of ${place.name} (${side})`, () => start(place, side));
        });
      return spent;
    },
  };
}

/** Its listeners accept, or its row in `services` was written since it began. */
async function isReady({ facts, nova }: Ground, place: Place, beginning: number): Promise<boolean> {
  for (const listener of place.listens) if (!(await answers(facts.ports[listener]))) return false;
  if (place.host === undefined || place.listens.length > 0) return true;
  const row = await nova
    .knex('services')
    .where({ host: place.host, binary: place.program, deleted: 0 })
    .first('updated_at');
  return row?.updated_at != null && Date.parse(`${row.updated_at.replace(' ', 'T')}Z`) > beginning + 1000;
}

async function answers(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) });
    await answer.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  // What goes wrong with one is told when nothing goes on any more: the next mixture is not made beside it.
  const ended = await Promise.allSettled(Array.from({ length: TOGETHER }, worker));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
}

function tail(path: string): string {
  const size = statSync(path).size;
  const bytes = Buffer.alloc(Math.min(size, 3000));
  const file = openSync(path, 'r');
  readSync(file, bytes, 0, bytes.length, size - bytes.length);
  closeSync(file);
  return bytes.toString();
}
