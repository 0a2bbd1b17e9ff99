import { readFileSync } from 'node:fs';
import type { Clock, Random } from '@folsom/core';
import { must } from '@folsom/core';
import type { ConfSection } from '@folsom/swift';
import { type InternalClient, internalText, quotePath } from '@folsom/swift-http';
import { type Credentials, login, type Session, sessionAt } from './session.ts';

/** Options of `[bench]`. */
export interface BenchOptions extends Credentials {
  /** False: straight to a storage server, whose objects then belong to no listing. */
  useProxy: boolean;
  putConcurrency: number;
  getConcurrency: number;
  deleteConcurrency: number;
  /** Files of which one is the body of each PUT. */
  sources: string[];
  lowerSize: number;
  upperSize: number;
  size: number;
  objects: number;
  gets: number;
  delete: boolean;
  containerName: string;
  containers: number;
  url: string;
  account: string;
  devices: string[];
  timeoutMs: number;
}

export function benchOptions(conf: ConfSection, random: Random): BenchOptions {
  const all = conf.str('concurrency', '');
  const concurrency = (name: string) => Math.max(1, all === '' ? conf.int(name, 10) : Number(all));
  const words = (name: string, fallback: string) => conf.str(name, fallback).split(/\s+/).filter(Boolean);
  return {
    authUrl: conf.str('auth', ''),
    user: conf.str('user', ''),
    key: conf.str('key', ''),
    authVersion: conf.str('auth_version', '1.0'),
    useProxy: conf.bool('use_proxy', true),
    putConcurrency: concurrency('put_concurrency'),
    getConcurrency: concurrency('get_concurrency'),
    deleteConcurrency: concurrency('del_concurrency'),
    sources: words('object_sources', ''),
    lowerSize: conf.int('lower_object_size', 10),
    upperSize: conf.int('upper_object_size', 10),
    size: conf.int('object_size', 1),
    objects: conf.int('num_objects', 1000),
    gets: conf.int('num_gets', 10_000),
    delete: conf.bool('delete', true),
    containerName: conf.str('container_name', random.hex(32)),
    containers: Math.max(1, conf.int('num_containers', 20)),
    url: conf.str('url', ''),
    account: conf.str('account', ''),
    devices: words('devices', 'sdb1'),
    timeoutMs: conf.float('timeout', 10) * 1000,
  };
}

export interface BenchTools {
  client: InternalClient;
  clock: Clock;
  random: Random;
  log(line: string): void;
  /** Set once the user has had enough: what was written is still deleted. */
  stopped(): boolean;
}

interface Written {
  device: string;
  partition: number;
  container: string;
  name: string;
}

const REPORT_MS = 15_000;
const FIRST_REPORT_MS = 2000;
const PARTITIONS = 3000;

/** swift-bench: writes objects, reads them at random, deletes them, and says how many a second. */
export async function runBench(options: BenchOptions, tools: BenchTools): Promise<void> {
  const { client, clock, random, log } = tools;
  log(`Auth version: ${options.authVersion}`);
  const session: Session = options.useProxy
    ? { ...(await login(client, options)), ...(options.url === '' ? {} : sessionAt(options.url)) }
    : { ...sessionAt(options.url), account: options.account, token: '-' };
  const bodies = options.sources.map(path => readFileSync(path));
  const containers = Array.from({ length: options.containers }, (_, i) => `${options.containerName}_${i}`);
  const written: Written[] = [];

  const send = async (method: string, path: string, body?: Buffer): Promise<number> => {
    const response = await client.request(session.host, {
      method,
      path,
      headers: [
        ['host', `${session.host.ip}:${session.host.port}`],
        ['x-auth-token', session.token],
        ...(options.useProxy ? [] : [['x-timestamp', (clock.now() / 1000).toFixed(5)] as const]),
        ...(method === 'PUT' ? [['content-type', 'application/octet-stream'] as const] : []),
      ],
      ...(method === 'PUT' ? { body: body ?? Buffer.alloc(0) } : {}),
      connectTimeoutMs: options.timeoutMs,
      timeoutMs: options.timeoutMs,
    });
    await internalText(response, Number.MAX_SAFE_INTEGER);
    return response.status;
  };
  const pick = <T>(items: readonly T[]): T =>
    must(items[random.int(items.length)], 'random.int(items.length) is in items');
  const pathOf = ({ device, partition, container, name }: Written): string =>
    options.useProxy
      ? `${session.path}/${container}/${name}`
      : `/${device}/${partition}/${quotePath(session.account)}/${container}/${name}`;

  /** `total` pieces of work, so many at a time, with a line now and then and one at the end. */
  const phase = async (title: string, total: number, concurrency: number, work: () => Promise<number>) => {
    const began = clock.monotonic();
    let next = began + FIRST_REPORT_MS;
    let complete = 0;
    let failures = 0;
    const report = (suffix = '') => {
      const seconds = (clock.monotonic() - began) / 1000 || 1e-6;
      log(`${complete} ${title}${suffix} [${failures} failures], ${(complete / seconds).toFixed(1)}/s`);
    };
    let begun = 0;
    const worker = async () => {
      while (begun < total && (title === 'DEL' || !tools.stopped())) {
        begun++;
        if (clock.monotonic() > next) {
          next = clock.monotonic() + REPORT_MS;
          report();
        }
        const status = await work().catch(() => 599);
        if (status >= 300) failures++;
        complete++;
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, total) }, worker));
    report(' **FINAL**');
  };

  if (options.useProxy) for (const name of containers) await send('PUT', `${session.path}/${name}`);
  await phase('PUTS', options.objects, options.putConcurrency, async () => {
    const object: Written = {
      device: pick(options.devices),
      partition: 1 + random.int(PARTITIONS),
      container: pick(containers),
      name: random.hex(32),
    };
    const size =
      options.upperSize > options.lowerSize
        ? options.lowerSize + random.int(options.upperSize - options.lowerSize + 1)
        : options.size;
    const status = await send('PUT', pathOf(object), bodies.length ? pick(bodies) : Buffer.alloc(size, '0'));
    if (status < 300) written.push(object);
    return status;
  });
  if (options.gets > 0 && written.length > 0 && !tools.stopped()) {
    await phase('GETS', options.gets, options.getConcurrency, () => send('GET', pathOf(pick(written))));
  }
  if (!options.delete) return;
  await phase('DEL', written.length, options.deleteConcurrency, () =>
    send('DELETE', pathOf(must(written.pop(), 'written is not empty'))),
  );
  if (!options.useProxy) return;
  for (const name of containers) {
    const status = await send('DELETE', `${session.path}/${name}`);
    if (status >= 300 && status !== 409)
      log(`Unable to delete container '${name}'. Got http status '${status}'.`);
  }
}
