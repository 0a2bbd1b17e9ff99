import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '@folsom/core';

/** Below the ports the kernel gives to outgoing connections, above those that services of a machine use. */
export const FIRST_PORT = 12_000;
const LAST_PORT = 19_999;
const RESERVED = join(tmpdir(), 'folsom-test-ports');

/**
 * A TCP port nobody listens on, reserved for this process until it ends: test files run in several processes, and a port
 * that is only known to be free belongs to another one a moment later.
 */
export async function freePort(): Promise<number> {
  mkdirSync(RESERVED, { recursive: true });
  const count = LAST_PORT - FIRST_PORT + 1;
  const start = systemRandom.int(count);
  for (let tried = 0; tried < count; tried++) {
    const port = FIRST_PORT + ((start + tried) % count);
    if (reserve(port) && (await isFree(port))) return port;
  }
  throw new Error('no port is free');
}

function reserve(port: number): boolean {
  const note = join(RESERVED, String(port));
  try {
    writeFileSync(note, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    // Another process has it; when that one has ended, the next who looks may take it.
    try {
      if (!existsSync(`/proc/${readFileSync(note, 'utf8')}`)) rmSync(note);
    } catch {
      // Somebody else has just done so.
    }
    return false;
  }
}

/** Whether nothing listens there, on any address. */
function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}

/** Several free ports, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

export interface TempDir {
  path: string;
  remove(): void;
}

/** A new directory under the system's temporary one (mode 0700); the caller removes it. */
export function tempDir(name = 'folsom'): TempDir {
  const path = mkdtempSync(join(tmpdir(), `${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}
