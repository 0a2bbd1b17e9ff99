import { must, type Random, systemClock } from '@folsom/core';
import { wrong } from './invariants.ts';
import { mark } from './itself.ts';
import { boot, OPERATIONS, remove } from './operations.ts';
import { removeVolume } from './volume-operations.ts';
import type { Operation, Server, World } from './world.ts';

export interface WalkOptions {
  /** Servers at once. */
  servers: number;
  /** Draws the order; what happens inside an operation does not change it. */
  order: Random;
  /** After each operation the guests are asked, too; else only where that matters most. */
  asks: 'always' | 'seldom';
  /** Ends after so many seconds; absent: when every operation has been done once. */
  seconds?: number;
  report(line: string): void;
}

export interface WalkResult {
  /** How often each was done. */
  counts: Record<string, number>;
  wrong: string[];
}

interface Step {
  name: string;
  tells: boolean;
  server: Server | undefined;
  run(): Promise<void>;
}

/**
 * Does what a user may do, one operation after the other, and looks after each whether all is as it should be. What was done
 * least comes first; among those that are left the seed draws.
 */
export async function walk(world: World, options: WalkOptions): Promise<WalkResult> {
  const { report } = options;
  const counts: Record<string, number> = { boot: 0 };
  for (const { name } of OPERATIONS) counts[name] = 0;
  const begun = systemClock.monotonic();
  const result = (found: string[]): WalkResult => ({ counts, wrong: found });
  const over = () =>
    options.seconds === undefined
      ? Object.values(counts).every(count => count > 0)
      : systemClock.monotonic() - begun > options.seconds * 1000;
  for (let number = 1; !over(); number++) {
    const step = draw(world, options, counts);
    const from = systemClock.monotonic();
    const text = `${number} ${step.name}${step.server ? ` ${step.server.name}` : ''}`;
    try {
      await step.run();
    } catch (error) {
      return result([`${text}: ${(error as Error).message}`]);
    }
    const done = systemClock.monotonic();
    counts[step.name] = (counts[step.name] ?? 0) + 1;
    const found = await wrong(world, options.asks === 'always' || step.tells);
    const seconds = (ms: number) => (ms / 1000).toFixed(1);
    report(`${text}: ${seconds(done - from)} s, looked at in ${seconds(systemClock.monotonic() - done)} s`);
    if (found.length > 0) return result(found.map(sentence => `after ${text}: ${sentence}`));
  }
  const last = await wrong(world, true);
  if (last.length > 0) return result(last.map(sentence => `at the end: ${sentence}`));
  for (const server of [...world.servers]) await remove(world, server);
  for (const volume of [...world.volumes]) await removeVolume(world, volume);
  return result((await wrong(world, true)).map(sentence => `afterwards: ${sentence}`));
}

function draw(
  world: World,
  options: Pick<WalkOptions, 'servers' | 'order'>,
  counts: Record<string, number>,
): Step {
  const possible: (Step & { operation?: Operation })[] = world.servers.flatMap(server =>
    OPERATIONS.filter(
      ({ from, may }) => from.includes(server.state) && (may === undefined || may(world, server)),
    ).map(operation => ({
      name: operation.name,
      server,
      operation,
      tells: operation.tells ?? false,
      run: () => operation.run(world, server),
    })),
  );
  if (world.servers.length < options.servers)
    possible.push({ name: 'boot', tells: true, server: undefined, run: () => bootOne(world) });
  const count = ({ name }: { name: string }) => counts[name] ?? 0;
  const least = Math.min(...Object.values(counts));
  const open = OPERATIONS.filter(one => count(one) === least);
  // A server that goes takes what could still be done with it along.
  const last = open.every(({ name }) => name === 'delete');
  const wanted = possible.filter(step => count(step) === least && (last || step.name !== 'delete'));
  if (wanted.length > 0) return pick(wanted, options.order);
  // What leads to a state in which something is left to be done; another image and a volume make something possible, too.
  const states = new Set(open.flatMap(({ name, from }) => (name === 'delete' ? [] : from)));
  const ways = possible.filter(
    ({ operation, server }) =>
      operation !== undefined &&
      (open.some(({ after }) => after === operation.name) ||
        (operation.to !== undefined &&
          states.has(operation.to) &&
          (operation.to !== server?.state || operation.renews === true))),
  );
  const others = possible.filter(({ name }) => name !== 'delete');
  return pick([ways, others, possible].find(steps => steps.length > 0) ?? [], options.order);
}

const pick = <T>(from: readonly T[], random: Random): T =>
  must(from[random.int(from.length)], 'something can always be done');

async function bootOne(world: World): Promise<void> {
  const { random } = world;
  // Now and then of what another has left.
  const snapshot = random.int(3) === 0 ? world.snapshots.at(-1) : undefined;
  const bare = random.int(2) === 0;
  const own = { id: bare ? world.images.parts : world.images.disk, mark: undefined, bare };
  const image = snapshot ?? own;
  const server = await boot(world, image, pick([...world.resizes.keys()], random));
  if (snapshot !== undefined) server.mark = snapshot.mark;
  else await mark(world, server);
}
