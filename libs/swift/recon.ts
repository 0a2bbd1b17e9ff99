import { hash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { answer, type ServerRequest, type ServerResponse, splitPath } from '@folsom/swift-http';
import { readReconCache } from './recon-cache.ts';
import { isMounted } from './storage-paths.ts';
import type { ConfSection } from './swift-conf.ts';

/** A part of a server's pipeline that answers some paths by itself; null passes a request on. */
export type ServerFilter = (path: string, request: ServerRequest) => ServerResponse | null;

export interface ReconOptions {
  devices: string;
  swiftDir: string;
  cachePath: string;
  mountCheck: boolean;
}

export const reconOptions = (conf: ConfSection): ReconOptions => ({
  devices: conf.str('devices', '/srv/node/'),
  swiftDir: conf.str('swift_dir', '/etc/swift'),
  cachePath: conf.str('recon_cache_path', '/var/cache/swift'),
  mountCheck: conf.bool('mount_check', true),
});

const KINDS = ['account', 'container', 'object'];
const PAGE_BYTES = 4096;

const AUDITOR_KEYS = (kind: string): string[] =>
  kind === 'object'
    ? ['object_auditor_stats_ALL', 'object_auditor_stats_ZBF']
    : ['audits_passed', 'auditor_pass_completed', 'audits_since', 'audits_failed'].map(
        key => `${kind}_${key}`,
      );

/** /healthcheck of a storage server. */
export const healthcheckFilter: ServerFilter = (path, request) =>
  path === '/healthcheck' ? answer(200, request, { body: 'OK', contentType: 'text/plain' }) : null;

const memory = (): unknown =>
  Object.fromEntries(
    readFileSync('/proc/meminfo', 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => line.split(':').map(part => part.trim())),
  );

function load() {
  const [one, five, fifteen, tasks, processes] = readFileSync('/proc/loadavg', 'utf8').trim().split(' ');
  return {
    '1m': Number(one),
    '5m': Number(five),
    '15m': Number(fifteen),
    tasks,
    processes: Number(processes),
  };
}

/** What is known of a storage node by the words of /recon/...; undefined for what is not asked for there. */
export function reconContents(options: ReconOptions): (check: string, kind: string | null) => unknown {
  const { devices, cachePath } = options;
  const cached = (kind: string, keys: string[]) => readReconCache(join(cachePath, `${kind}.recon`), keys);
  const deviceNames = (): string[] => readdirSync(devices);

  const contents = (check: string, kind: string | null): unknown => {
    switch (check) {
      case 'mem':
        return memory();
      case 'load':
        return load();
      case 'async':
        return cached('object', ['async_pending']);
      case 'replication':
        if (kind === 'account' || kind === 'container')
          return cached(kind, ['replication_time', 'replication_stats']);
        return kind === null || kind === 'object' ? cached('object', ['object_replication_time']) : undefined;
      case 'devices':
        return { [devices]: existsSync(devices) ? deviceNames() : null };
      case 'updater':
        return kind === 'container' || kind === 'object'
          ? cached(kind, [`${kind}_updater_sweep`])
          : undefined;
      case 'auditor':
        return kind !== null && KINDS.includes(kind) ? cached(kind, AUDITOR_KEYS(kind)) : undefined;
      case 'expirer':
        return kind === 'object'
          ? cached('object', ['object_expiration_pass', 'expired_last_pass'])
          : undefined;
      case 'mounted':
        return readFileSync('/proc/mounts', 'utf8')
          .trimEnd()
          .split('\n')
          .map(line => line.split(' '))
          .map(([device, path]) => ({ device, path }));
      case 'unmounted':
        return deviceNames()
          .filter(device => !mounted(device))
          .map(device => ({ device, mounted: false }));
      case 'diskusage':
        return deviceNames().map(device => {
          if (!mounted(device)) return { device, mounted: false, size: '', used: '', avail: '' };
          const { bsize, blocks, bavail } = statfsSync(join(devices, device));
          return {
            device,
            mounted: true,
            size: bsize * blocks,
            used: bsize * (blocks - bavail),
            avail: bsize * bavail,
          };
        });
      case 'ringmd5':
        return Object.fromEntries(
          KINDS.map(name => join(options.swiftDir, `${name}.ring.gz`))
            .filter(path => existsSync(path))
            .map(path => [path, hash('md5', readFileSync(path), 'hex')]),
        );
      case 'quarantined': {
        const counts: Record<string, number> = { objects: 0, containers: 0, accounts: 0 };
        for (const device of deviceNames()) {
          for (const type of Object.keys(counts)) {
            const links =
              lstatSync(join(devices, device, 'quarantined', type), { throwIfNoEntry: false })?.nlink ?? 0;
            counts[type] = (counts[type] ?? 0) + Math.max(0, links - 2);
          }
        }
        return counts;
      }
      case 'sockstat':
        return socketStatistics();
      default:
        return undefined;
    }
  };
  const mounted = (device: string): boolean => /^[0-9A-Za-z]+$/.test(device) && isMounted(devices, device);
  return contents;
}

/** /recon/...: what swift-recon asks the storage servers about their machine and daemons. */
export function reconFilter(options: ReconOptions): ServerFilter {
  const contents = reconContents(options);
  return (path, request) => {
    if (!path.startsWith('/recon/')) return null;
    const [, check, kind] = splitPath(path, 1, 3, true) ?? [];
    let found: unknown;
    try {
      found = contents(check ?? '', kind ?? null);
    } catch {
      return answer(500, request, { body: 'Internal server error.', contentType: 'text/plain' });
    }
    if (found === undefined)
      return answer(404, request, { body: `Invalid path: ${path}`, contentType: 'text/plain' });
    const body = Buffer.from(JSON.stringify(found));
    const headers = new Map([
      ['content-type', 'application/json'],
      ['content-length', String(body.length)],
    ]);
    return { status: 200, headers, body };
  };
}

function socketStatistics(): Record<string, number> {
  const out: Record<string, number> = {};
  const lines = (path: string): string[] => (existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []);
  for (const line of lines('/proc/net/sockstat')) {
    const words = line.split(' ');
    if (!line.startsWith('TCP: inuse')) continue;
    out.tcp_in_use = Number(words[2]);
    out.orphan = Number(words[4]);
    out.time_wait = Number(words[6]);
    out.tcp_mem_allocated_bytes = Number(words[10]) * PAGE_BYTES;
  }
  for (const line of lines('/proc/net/sockstat6')) {
    if (line.startsWith('TCP6: inuse')) out.tcp6_in_use = Number(line.split(' ')[2]);
  }
  return out;
}
