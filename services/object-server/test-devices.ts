import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type RunningService, seededRandom, systemClock, type World } from '@folsom/core';
import { confSection, pathHash } from '@folsom/swift';
import { createInternalClient, type Headers, internalText } from '@folsom/swift-http';
import { objectServerOptions } from './options.ts';
import { startObjectServer } from './server.ts';

/** For tests: an object server over devices in a throw-away directory, and a client that talks to it. */
export interface TestServer {
  port: number;
  /** The directory of the devices. */
  root: string;
  service: RunningService;
  lines: string[];
  world: World;
  send(
    method: string,
    path: string,
    headers?: Record<string, string>,
    body?: string | Buffer,
  ): Promise<{ status: number; headers: Headers; body: Buffer }>;
  stop(): Promise<void>;
}

export const HASH = pathHash('changeme');

export async function testServer(
  conf: Record<string, string> = {},
  {
    root = mkdtempSync(join(tmpdir(), 'objects-')),
    devices = ['sda'],
    keep = false,
    now = systemClock.now,
  } = {},
): Promise<TestServer> {
  for (const device of devices) mkdirSync(join(root, device), { recursive: true });
  const lines: string[] = [];
  const world: World = {
    clock: { ...systemClock, now },
    random: seededRandom(1),
    log: createLogger({ level: 'debug', write: line => lines.push(line) }),
  };
  const undeclared = new Set<string>();
  const service = await startObjectServer({
    options: objectServerOptions(confSection({ devices: root, mount_check: 'false', ...conf })),
    pathHash: HASH,
    host: '127.0.0.1',
    port: 0,
    world,
    undeclared: (operation, what) => undeclared.add(`${operation}: ${what}`),
  });
  const port = Number(service.addresses[0]!.split(':').at(-1));
  const client = createInternalClient(world);
  return {
    port,
    root,
    service,
    lines,
    world,
    send: async (method, path, headers = {}, body) => {
      const bytes = body === undefined ? undefined : Buffer.from(body);
      const response = await client.request(
        { ip: '127.0.0.1', port },
        {
          method,
          path,
          headers: [
            ...Object.entries(headers),
            ...(bytes || method === 'PUT' ? [['content-length', String(bytes?.length ?? 0)] as const] : []),
          ],
          ...(bytes ? { body: bytes } : {}),
          connectTimeoutMs: 2000,
          timeoutMs: 20_000,
        },
      );
      return {
        status: response.status,
        headers: response.headers,
        body: method === 'HEAD' ? Buffer.alloc(0) : await internalText(response, 1 << 30),
      };
    },
    stop: async () => {
      client.close();
      await service.stop();
      if (!keep) rmSync(root, { recursive: true, force: true });
      if (undeclared.size > 0) throw new Error(`not declared: ${[...undeclared].join(', ')}`);
    },
  };
}

/** Names of the files of an object on a device. */
export function filesOf(root: string, device: string, partition: number, name: string): string[] {
  const [account, container, ...object] = name.split('/') as [string, string, ...string[]];
  const hash = HASH.hex(account, container, object.join('/'));
  try {
    return readdirSync(join(root, device, 'objects', String(partition), hash.slice(-3), hash)).sort();
  } catch {
    return [];
  }
}

export const objectDirectory = (root: string, device: string, partition: number, name: string): string => {
  const [account, container, ...object] = name.split('/') as [string, string, ...string[]];
  const hash = HASH.hex(account, container, object.join('/'));
  return join(root, device, 'objects', String(partition), hash.slice(-3), hash);
};
