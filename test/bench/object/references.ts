import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fsync,
  mkdirSync,
  mkdtempSync,
  openSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cpuOf, startProgram } from './servers.ts';

const sync = promisify(fsync);

/**
 * What the machine allows: files written and synced side by side, `copies` of each. Files a second. They stay where they
 * are: ext4 without a journal looks at every inode freed in the last minutes before it takes one, so that what is deleted
 * here would make each file of the next rows dearer.
 */
export async function writeAndSync(
  folder: string,
  options: { size: number; copies: number; parallel: number; seconds: number },
): Promise<number> {
  const root = mkdtempSync(join(folder, 'plain-'));
  const bytes = Buffer.alloc(options.size, 7);
  const started = performance.now();
  const deadline = started + options.seconds * 1000;
  let done = 0;
  const one = async (path: string) => {
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    writeSync(fd, bytes);
    await sync(fd);
    closeSync(fd);
  };
  const worker = async (id: number) => {
    for (let i = 0; performance.now() < deadline; i++) {
      await Promise.all(
        Array.from({ length: options.copies }, (_, copy) => one(join(root, `${id}-${i}-${copy}`))),
      );
      done++;
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, (_, id) => worker(id)));
  const seconds = (performance.now() - started) / 1000;
  return done / seconds;
}

/** Writes `copies` large files side by side, synced; MB a second of each. They stay as `large-0` and so on. */
export async function writeLarge(folder: string, bytes: number, copies: number): Promise<number> {
  mkdirSync(folder, { recursive: true });
  const chunk = Buffer.alloc(2 ** 20, 7);
  const started = performance.now();
  await Promise.all(
    Array.from({ length: copies }, async (_, copy) => {
      const file = await open(join(folder, `large-${copy}`), 'w', 0o600);
      for (let left = bytes; left > 0; left -= chunk.length) {
        await file.write(chunk, 0, Math.min(left, chunk.length));
      }
      await file.sync();
      await file.close();
    }),
  );
  return bytes / 1e6 / ((performance.now() - started) / 1000);
}

/** MD5 of one thread, MB a second. */
export function md5Rate(): number {
  const chunk = Buffer.alloc(2 ** 22, 7);
  const md5 = createHash('md5');
  const started = performance.now();
  let bytes = 0;
  while (performance.now() - started < 500) {
    md5.update(chunk);
    bytes += chunk.length;
  }
  return bytes / 1e3 / (performance.now() - started);
}

export interface StaticServer {
  port: number;
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** Small files of these sizes, and whatever else lies in the folder, behind a server that only streams. */
export async function staticServer(
  folder: string,
  port: number,
  files: Record<string, number>,
): Promise<StaticServer> {
  mkdirSync(folder, { recursive: true });
  for (const [name, size] of Object.entries(files)) writeFileSync(join(folder, name), Buffer.alloc(size, 7));
  const program = startProgram(
    'static',
    [fileURLToPath(new URL('static-server.ts', import.meta.url)), folder, String(port)],
    `${folder}.log`,
  );
  for (let tries = 0; ; tries++) {
    try {
      await (await fetch(`http://127.0.0.1:${port}/`, { method: 'HEAD' })).text();
      break;
    } catch (error) {
      if (tries > 200) throw error;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }
  return { port, cpuSeconds: () => cpuOf(program.pid), stop: () => program.stop() };
}
