import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { burst, large, streams } from './object/large.ts';
import { listing } from './object/listing.ts';
import { staticServer } from './object/references.ts';
import { printHead, rows, sized } from './object/rows.ts';
import { startOneProcess, startServers } from './object/servers.ts';
import type { Bench } from './run.ts';

const BASE_PORT = Number(process.env.BENCH_PORT ?? 23_400);
/** Seconds a row. */
const SECONDS = Number(process.env.BENCH_SECONDS ?? 2);
const LARGE_BYTES = Number(process.env.BENCH_LARGE_MB ?? 1024) * 2 ** 20;
const LISTED = Number(process.env.BENCH_LISTED ?? 100_000);
const SIZES = [1024, 2 ** 20];
/** Connections at once, for small objects and for those of a megabyte. */
const WIDTHS = [process.env.BENCH_CONNECTIONS ?? '1,16', process.env.BENCH_CONNECTIONS ?? '4'].map(text =>
  text.split(',').map(Number),
);
const STREAM = { clients: 64, bytes: 16 * 2 ** 20 };
/** Uploads at the same moment. */
const BURST = { clients: 64, bytes: 64 * 2 ** 20 };
const PARTS = ['small', 'medium', 'listing', 'large', 'streams', 'burst', 'one-process'];

/**
 * Object storage through the proxy: small and medium objects at several widths with one and three replicas, a very
 * long listing, one very large object, memory under many streams, and the store in one process; each beside a plain
 * static server or plain synced files in the same run.
 */
export const bench: Bench = async (print, asked, tools) => {
  const unknown = asked.find(part => !PARTS.includes(part));
  if (unknown !== undefined) throw new Error(`object has no part ${unknown}; it has ${PARTS.join(', ')}`);
  const has = (part: string): boolean => asked.length === 0 || asked.includes(part);
  const folder = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'bench-object-'));
  const files = join(folder, 'static');
  const fileServer = await staticServer(
    files,
    BASE_PORT + 9,
    Object.fromEntries(SIZES.map(size => [`file-${size}`, size])),
  );
  const profiles = tools.profile ? join(folder, 'profiles') : null;
  if (profiles !== null) mkdirSync(profiles);
  const sizes = SIZES.filter(size => has(size < 2 ** 20 ? 'small' : 'medium'));
  try {
    for (const replicas of [1, 3]) {
      const whole = replicas === 3 && ['listing', 'large', 'streams', 'burst'].some(has);
      if (sizes.length === 0 && !whole) continue;
      const own = join(folder, `r${replicas}`);
      const servers = await startServers(own, BASE_PORT, { replicas, profiles });
      try {
        print(`-- ${copies(replicas)}; one worker each of proxy, account, container, object server`);
        if (sizes.length) printHead(print);
        for (const size of sizes)
          for (const connections of WIDTHS[SIZES.indexOf(size)] ?? [])
            await rows(print, servers, {
              ...{ size, connections, seconds: SECONDS, replicas, folder, fileServer, tools, profiles },
              servedBy: 'four processes',
            });
        if (!whole) continue;
        if (has('listing')) await listing(print, servers, { folder: own, objects: LISTED, tools });
        if (has('streams')) await streams(print, servers, STREAM);
        if (has('burst')) await burst(print, servers, { ...BURST, replicas, folder: files, tools });
        if (has('large'))
          await large(print, servers, { bytes: LARGE_BYTES, replicas, folder: files, fileServer, tools });
      } finally {
        await servers.stop();
      }
    }
    if (!has('one-process')) return;
    for (const replicas of [1, 3]) {
      const servers = await startOneProcess(join(folder, `one${replicas}`), BASE_PORT, {
        replicas,
        profiles,
      });
      try {
        print(`-- ${copies(replicas)}; proxy and storage servers in one process; ${sized(SIZES[0]!)}`);
        printHead(print);
        await rows(print, servers, {
          size: SIZES[0]!,
          connections: 16,
          seconds: SECONDS,
          replicas,
          folder,
          fileServer,
          tools,
          profiles,
          servedBy: 'one process',
        });
      } finally {
        await servers.stop();
      }
    }
  } finally {
    await fileServer.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};

const copies = (replicas: number): string => `${replicas} replica${replicas > 1 ? 's' : ''}`;
