import type { Clock, Random } from '@folsom/core';
import { must } from '@folsom/core';
import type { Ring, RingDevice } from '@folsom/ring';
import type { ConfSection, PathHash } from '@folsom/swift';
import { type InternalClient, type InternalResponse, internalText, quotePath } from '@folsom/swift-http';
import { CONNECT_MS, login, type Session, TIMEOUT_MS } from './session.ts';

/** Options of `[dispersion]`. */
export interface DispersionOptions {
  authUrl: string;
  user: string;
  key: string;
  authVersion: string;
  /** Per cent of all partitions. */
  coverage: number;
  retries: number;
  concurrency: number;
  swiftDir: string;
  dumpJson: boolean;
  /** Names those that answer 404. */
  debug?: boolean;
}

export const dispersionOptions = (conf: ConfSection): DispersionOptions => ({
  authUrl: conf.str('auth_url', ''),
  user: conf.str('auth_user', ''),
  key: conf.str('auth_key', ''),
  authVersion: conf.str('auth_version', '1.0'),
  coverage: conf.int('dispersion_coverage', 1),
  retries: conf.int('retries', 5),
  concurrency: Math.max(1, conf.int('concurrency', 25)),
  swiftDir: conf.str('swift_dir', '/etc/swift'),
  dumpJson: conf.bool('dump_json', false),
});

export interface DispersionTools {
  options: DispersionOptions;
  rings: { container: Ring; object: Ring };
  pathHash: PathHash;
  client: InternalClient;
  clock: Clock;
  random: Random;
  print(line: string): void;
  err(line: string): void;
}

const CONTAINER = 'dispersion_objects';
const PREFIX = 'dispersion_';

/** A request to the account, tried again while it answers 5xx or nothing. */
async function ask(
  tools: DispersionTools,
  session: Session,
  method: string,
  path: string,
  body?: string,
): Promise<{ response: InternalResponse; text: string; attempts: number }> {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  let failure: Error = new Error('not asked');
  for (let attempt = 1; attempt <= tools.options.retries + 1; attempt++) {
    try {
      const response = await tools.client.request(session.host, {
        method,
        path: `${session.path}${path}`,
        headers: [
          ['host', `${session.host.ip}:${session.host.port}`],
          ['x-auth-token', session.token],
          ['content-length', String(bytes?.length ?? 0)],
          ...(bytes ? [['x-object-meta-dispersion', must(body, 'body is there')] as const] : []),
        ],
        ...(bytes ? { body: bytes } : {}),
        connectTimeoutMs: CONNECT_MS,
        timeoutMs: TIMEOUT_MS,
      });
      const text = method === 'HEAD' ? '' : (await internalText(response)).toString('utf8');
      if (response.status < 500) return { response, text, attempts: attempt };
      failure = new Error(`${method} ${path} answered ${response.status}`);
    } catch (error) {
      failure = error as Error;
    }
    await tools.clock.sleep(2 ** (attempt - 1) * 200);
  }
  throw failure;
}

/** Puts a container, and an object, into a share of all partitions, for {@link reportDispersion} to look for. */
export async function populateDispersion(tools: DispersionTools): Promise<number> {
  const { rings } = tools;
  const session = await login(tools.client, tools.options);
  await fill(
    tools,
    'containers',
    rings.container,
    name => [session.account, name],
    name => put(tools, session, `/${name}`),
  );
  await put(tools, session, `/${CONTAINER}`);
  await fill(
    tools,
    'objects',
    rings.object,
    name => [session.account, CONTAINER, name],
    name => put(tools, session, `/${CONTAINER}/${name}`, name),
  );
  return 0;
}

async function put(tools: DispersionTools, session: Session, path: string, body?: string): Promise<number> {
  const { response, attempts } = await ask(tools, session, 'PUT', path, body);
  if (response.status >= 300) throw new Error(`PUT ${path} answered ${response.status}`);
  return attempts - 1;
}

async function fill(
  { options, pathHash, random, clock, print }: DispersionTools,
  what: string,
  ring: Ring,
  parts: (name: string) => [string, string, string?],
  create: (name: string) => Promise<number>,
): Promise<void> {
  const wanted = Math.trunc((options.coverage / 100) * ring.partitionCount);
  const names: string[] = [];
  const covered = new Set<number>();
  while (names.length < wanted) {
    const name = `${PREFIX}${random.hex(32)}`;
    const partition = ring.partition(pathHash.prefix(...parts(name)));
    if (covered.has(partition)) continue;
    covered.add(partition);
    names.push(name);
  }
  const started = clock.monotonic();
  let retries = 0;
  await each(names, options.concurrency, async name => {
    retries += await create(name);
  });
  print(
    `Created ${wanted} ${what} for dispersion reporting, ${elapsed(clock.monotonic() - started)}, ${retries} retries`,
  );
}

/** Looks for what {@link populateDispersion} made on every device that should have it. */
export async function reportDispersion(tools: DispersionTools): Promise<number> {
  const { options, rings, print } = tools;
  const session = await login(tools.client, tools.options);
  const containers = await names(tools, session, '');
  const container = await report(tools, 'container', containers, rings.container, name => [
    session.account,
    name,
  ]);
  const objects = await names(tools, session, `/${CONTAINER}`);
  const object = await report(tools, 'object', objects, rings.object, name => [
    session.account,
    CONTAINER,
    name,
  ]);
  if (options.dumpJson) print(JSON.stringify({ container, object }));
  return 0;
}

async function names(tools: DispersionTools, session: Session, path: string): Promise<string[]> {
  const found: string[] = [];
  for (let marker = ''; ; ) {
    const query = `?format=json&prefix=${PREFIX}&marker=${encodeURIComponent(marker)}`;
    const { response, text } = await ask(tools, session, 'GET', `${path}${query}`);
    if (response.status === 404 || response.status === 204) return found;
    if (response.status !== 200) throw new Error(`listing answered ${response.status}`);
    const page = (JSON.parse(text) as { name: string }[]).map(item => item.name);
    if (page.length === 0) return found;
    found.push(...page);
    marker = must(page.at(-1), 'page is not empty');
  }
}

interface DispersionReport {
  retries: number;
  overlapping: number;
  pct_found: number;
  copies_found: number;
  copies_expected: number;
  [missing: `missing_${number}`]: number;
}

async function report(
  tools: DispersionTools,
  kind: 'container' | 'object',
  listed: readonly string[],
  ring: Ring,
  parts: (name: string) => [string, string, string?],
): Promise<DispersionReport | null> {
  const { options, pathHash, clock, print, err } = tools;
  if (listed.length === 0) {
    err(`No ${kind}s to query. Has swift-dispersion-populate been run?`);
    return null;
  }
  const byPartition = new Map<number, string>();
  for (const name of listed) {
    const partition = ring.partition(pathHash.prefix(...parts(name)));
    if (!byPartition.has(partition)) byPartition.set(partition, name);
  }
  const unmounted = new Set<string>();
  const notFound = new Set<string>();
  const copies = new Array<number>(ring.replicaCount + 1).fill(0);
  const started = clock.monotonic();
  let retries = 0;
  await each([...byPartition], options.concurrency, async ([partition, name]) => {
    let found = 0;
    for (const node of ring.nodes(partition)) {
      const answer = await headDirect(tools, node, partition, parts(name));
      retries += answer.attempts - 1;
      if (answer.status >= 200 && answer.status < 300) found++;
      const where = `${node.ip}:${node.port}/${node.device}`;
      if (answer.status === 507 && !unmounted.has(where)) {
        unmounted.add(where);
        err(
          `ERROR: ${where} is unmounted -- This will cause replicas designated for that device to be considered ` +
            'missing until resolved or the ring is updated.',
        );
      } else if (answer.status === 404 && options.debug && !notFound.has(where)) {
        notFound.add(where);
        err(`ERROR: ${where} returned a 404`);
      } else if (answer.status !== 404 && answer.status !== 507 && answer.status >= 300) {
        err(`ERROR: ${where}: Giving up on /${partition}/${parts(name).join('/')}: ${answer.status}`);
      }
    }
    copies[found] = (copies[found] ?? 0) + 1;
  });
  const expected = byPartition.size * ring.replicaCount;
  const foundCopies = copies.reduce((sum, count, copy) => sum + count * copy, 0);
  const overlapping = listed.length - byPartition.size;
  const percent = (100 * foundCopies) / expected;
  if (!options.dumpJson) {
    print(
      `\r\x1B[KQueried ${listed.length} ${kind}s for dispersion reporting, ${elapsed(clock.monotonic() - started)}, ${retries} retries`,
    );
    if (overlapping > 0) print(`There were ${overlapping} overlapping partitions`);
    for (let copy = ring.replicaCount - 1; copy >= 0; copy--) {
      if (copies[copy])
        print(
          missingLine(must(copies[copy], 'copy is in copies'), ring.replicaCount - copy, ring.replicaCount),
        );
    }
    print(`${percent.toFixed(2)}% of ${kind} copies found (${foundCopies} of ${expected})`);
    const share = (100 * byPartition.size) / ring.partitionCount;
    print(`Sample represents ${share.toFixed(2)}% of the ${kind} partition space`);
  }
  const result: DispersionReport = {
    retries,
    overlapping,
    pct_found: percent,
    copies_found: foundCopies,
    copies_expected: expected,
  };
  for (let copy = 0; copy < ring.replicaCount; copy++)
    result[`missing_${ring.replicaCount - copy}`] = must(copies[copy], 'copy is in copies');
  return result;
}

/** Asks a storage server itself; status 0 when it does not answer. */
async function headDirect(
  { client, options, clock }: DispersionTools,
  node: RingDevice,
  partition: number,
  parts: readonly (string | undefined)[],
): Promise<{ status: number; attempts: number }> {
  const path = quotePath(
    `/${node.device}/${partition}/${parts.filter(part => part !== undefined).join('/')}`,
  );
  let status = 599;
  for (let attempt = 1; attempt <= options.retries + 1; attempt++) {
    try {
      const call = { method: 'HEAD', path, headers: [], connectTimeoutMs: CONNECT_MS, timeoutMs: TIMEOUT_MS };
      const response = await client.request(node, call);
      await internalText(response);
      status = response.status;
      if (status < 500 || status === 507) return { status, attempts: attempt };
    } catch {
      status = 599;
    }
    if (attempt <= options.retries) await clock.sleep(2 ** (attempt - 1) * 200);
  }
  return { status, attempts: options.retries + 1 };
}

function missingLine(partitions: number, missing: number, replicas: number): string {
  const marks = missing === replicas ? '!!! ' : replicas - missing === 1 ? '! ' : '';
  const many = partitions > 1;
  return (
    `${marks}There ${many ? 'were' : 'was'} ${partitions} partition${many ? 's' : ''} missing ` +
    `${missing === replicas ? 'all' : missing} ${missing > 1 ? 'copies' : 'copy'}.`
  );
}

async function each<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

/** `12s`, `3m`, `2h` */
function elapsed(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${Math.round(seconds)}s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)}m` : `${Math.round(seconds / 3600)}h`;
}
