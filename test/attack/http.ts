import { maskTarget, seededRandom, systemClock } from '@folsom/core';
import type { PortName } from '@folsom/deploy/folsom/layout';
import { canonicalTarget } from '@folsom/http';
import {
  type Honest,
  type Hostile,
  hostileRequests,
  mutated,
  smuggledTarget,
} from '@folsom/testing/hostile-http';
import { type Heard, nodeParser, type Reading, sendRaw } from '@folsom/testing/raw-http';
import { type AttackedCloud, eachOf, startAttackedCloud } from './cloud.ts';
import type { Part } from './part.ts';

/** A request that a port answers, and how. */
interface Place {
  port: PortName;
  honest: Honest;
  /** Reads bodies to their end before it answers: broken framing cannot be answered as if nothing were wrong. */
  reads: boolean;
  /** The service that this one is, if it passes requests on to another one. */
  passes?: string;
  /** Takes on purpose what node's parser does not; see libs/swift-http. */
  swift?: boolean;
  /** Speaks just enough HTTP for one viewer. */
  oneQuestion?: boolean;
}

const CLOSE_MS = 15_000;
const WIDTH = 8;
const PROBLEMS_MAX = 20;
const PRIMES = [997, 1009, 1013, 1019];
/** Of a head, as all servers here have it or less. */
const NODE_HEAD_BYTES = 16_384;

/**
 * What swift's clients of 2012 send and node's parser refuses, written as it takes it: UTF-8 in targets and in names of metadata,
 * and sizes of chunks as Python's `hex()` has them. The length stays.
 */
const asNodeTakesIt = (bytes: Buffer): Buffer =>
  Buffer.from(
    bytes
      .toString('latin1')
      .replace(/[\x80-\xff]/g, 'z')
      .replace(/(\r\n)0[xX](?=[0-9a-fA-F]+ *[;\r])/g, '$100'),
    'latin1',
  );

async function places(cloud: AttackedCloud): Promise<Place[]> {
  const { alice } = cloud;
  const auth = { 'X-Auth-Token': alice.token, 'Content-Type': 'application/json' };
  const stored = () => ({
    'X-Timestamp': (systemClock.now() / 1000).toFixed(5),
    'Content-Type': 'text/plain',
    'X-Size': '5',
    'X-Etag': 'x',
    'X-Content-Type': 'text/plain',
  });
  const login = JSON.stringify({ auth: { token: { id: alice.token }, tenantName: 'alice' } });
  await cloud.ask('objectProxy', 'PUT', `/v1/AUTH_${alice.tenant}/http`, { token: alice.token });
  const get = (target: string, headers: Record<string, string> = {}): Honest => ({
    method: 'GET',
    target,
    headers,
    body: '',
    mark: '',
  });
  const post = (target: string, headers: Record<string, string>, body: string, method = 'POST'): Honest => ({
    method,
    target,
    headers,
    body,
    mark: '',
  });
  const found: Place[] = [];
  for (const port of ['identityPublic', 'identityAdmin'] as const)
    found.push(
      { port, honest: get('/v2.0'), reads: false },
      { port, honest: post('/v2.0/tokens', auth, login), reads: true },
    );
  const page = {
    'Content-Type': 'application/json',
    Cookie: alice.console.cookie,
    'X-CSRF-Token': alice.console['x-csrf-token'],
  };
  const all: Place[] = [
    ...found,
    { port: 'image', honest: get('/v1/images', auth), reads: false },
    { port: 'image', honest: post('/v2/images', auth, '{"name": "http"}'), reads: true },
    { port: 'imageRegistry', honest: get('/images', auth), reads: false },
    { port: 'imageRegistry', honest: post('/images', auth, '{"image": {"name": "http", "status": "queued"}}'), reads: true },
    { port: 'compute', honest: get(`/v2/${alice.tenant}/servers`, auth), reads: false },
    { port: 'compute', honest: post(`/v2/${alice.tenant}/os-security-groups`, auth, '{"security_group": {"name": "default", "description": "x"}}'), reads: true },
    { port: 'metadata', honest: get('/latest/meta-data'), reads: false },
    { port: 'metadata', honest: post('/latest', {}, 'abcde'), reads: true },
    { port: 'objectProxy', honest: get(`/v1/AUTH_${alice.tenant}/http`, auth), reads: false, swift: true },
    { port: 'objectProxy', honest: post(`/v1/AUTH_${alice.tenant}/http/o`, auth, 'abcde', 'PUT'), reads: true, swift: true },
    { port: 'account', honest: get('/d1/1/AUTH_http'), reads: false, swift: true },
    { port: 'account', honest: post('/d1/1/.http', stored(), 'abcde', 'PUT'), reads: false, swift: true },
    { port: 'container', honest: get('/d1/1/AUTH_http/c'), reads: false, swift: true },
    { port: 'container', honest: post('/d1/1/.http/c', stored(), 'abcde', 'PUT'), reads: false, swift: true },
    { port: 'object', honest: get('/d1/1/AUTH_http/c/o'), reads: false, swift: true },
    { port: 'object', honest: post('/d1/1/AUTH_http/c/o', stored(), 'abcde', 'PUT'), reads: true, swift: true },
    { port: 'novncproxy', honest: get('/healthz'), reads: false },
    { port: 'xvpvncproxy', honest: get('/console?token=none'), reads: false, oneQuestion: true },
    { port: 'metrics', honest: get('/metrics'), reads: false },
    { port: 'consoleWeb', honest: get('/api/session', page), reads: false },
    { port: 'consoleWeb', honest: post('/api/session/preferences', page, '{"theme": "dark", "language": "en"}', 'PUT'), reads: true },
    { port: 'consoleWeb', honest: get('/api/cloud/object-store/http', page), reads: false, passes: 'console-web' },
    { port: 'consoleWeb', honest: post('/api/cloud/object-store/http/c', page, 'abcde', 'PUT'), reads: true, passes: 'console-web' },
  ]; // biome-ignore format: a table
  // A listener that is added comes in by itself.
  for (const port of Object.keys(cloud.ports) as PortName[])
    if (!all.some(place => place.port === port))
      all.push(
        { port, honest: get('/'), reads: false },
        { port, honest: post('/', {}, 'abcde'), reads: false },
      );
  return all;
}

/** Why an answer to hostile bytes is not as it must be, or null. */
function problem(place: Place, heard: Heard, node: Reading, usual: number, bytes: Buffer): string | null {
  const first = heard.answers[0]?.status;
  if (!heard.closed) return `the connection stays open for more than ${CLOSE_MS} ms`;
  if (heard.answers.some(({ status }) => status >= 500 && status !== 501 && status !== 505))
    return 'answers with an error of its own';
  if (place.oneQuestion) return heard.answers.length > 1 ? 'answers twice' : null;
  if (isRefusal(place, heard, node, bytes)) return null;
  if (heard.answers.length > node.requests.length + (node.refused ? 1 : 0))
    return `sees ${heard.answers.length} requests`;
  const none = node.requests.length === 0;
  if (none && !place.swift && !place.reads) return null;
  const accepted = first !== undefined && first < 400 && usual < 400;
  if (none && accepted && place.reads) return `takes what node's parser refuses (${first})`;
  return null;
}

/**
 * Whether swift's server has refused, in its own way, what begins with a method that node's parser does not know. That parser reads
 * no further: what comes after it on the connection may be answered, as long as there are no more answers than lines of requests.
 */
function isRefusal(place: Place, heard: Heard, node: Reading, bytes: Buffer): boolean {
  if (place.swift !== true || node.unknownMethod !== true) return false;
  const [refused, ...after] = heard.answers.slice(node.requests.length);
  if (after.every(({ status }) => status >= 400)) return refused === undefined || refused.status >= 400;
  const lines = bytes.toString('latin1').match(/ HTTP\/1\.\d\r?\n/g)?.length ?? 0;
  return refused !== undefined && refused.status >= 400 && heard.answers.length <= lines;
}

/** Log lines by the mark of the probe they tell of. */
function noteLines(lines: readonly string[], seen: Map<string, string[]>): void {
  for (const line of lines) {
    const mark = /probe-[0-9a-f]+-\d+-[0-9a-f]{8}-/.exec(line)?.[0];
    if (mark === undefined || !line.includes('"message":"request"')) continue;
    const known = seen.get(mark);
    if (known) known.push(line);
    else seen.set(mark, [line]);
  }
}

/** Whether a log shows a request that node's parser has not seen. */
function unseen(lines: readonly string[], place: Place, honest: Honest, node: Reading): string | null {
  const known = new Set(
    node.begun.map(target => {
      const { path, query } = canonicalTarget(target);
      // What looks like a secret is not logged, wherever the corpus has moved it.
      return maskTarget(path + query);
    }),
  );
  const hidden = smuggledTarget(honest);
  for (const line of lines) {
    const { path, service } = JSON.parse(line) as Record<string, string>;
    if (line.includes(hidden) && !node.begun.some(target => target.includes(hidden)))
      return `${service} saw a request that was hidden`;
    // swift's servers log a path in their own way; long ones are cut.
    if (place.swift || path === undefined || path.length >= 1024) continue;
    if (place.passes && service !== place.passes) continue;
    if (!known.has(maskTarget(path))) return `${service} saw ${path}`;
  }
  return null;
}

/** The honest request as it is at this moment: storage servers take nothing older than what they have. */
function nowOf(honest: Honest): Honest {
  if (!('X-Timestamp' in honest.headers)) return honest;
  const at = (systemClock.now() / 1000).toFixed(5);
  return { ...honest, headers: { ...honest.headers, 'X-Timestamp': at } };
}

/** Sends one of the corpus to a place. @throws what is wrong with what came of it */
function attackWith(cloud: AttackedCloud, parser: Awaited<ReturnType<typeof nodeParser>>, seed: number) {
  let serial = 0;
  const marks = seededRandom(seed + 1);
  const seen = new Map<string, string[]>();
  const tally: Record<string, number> = {};
  const attempt = async (
    place: Place,
    usual: number,
    pick: (corpus: Hostile[]) => Hostile,
  ): Promise<void> => {
    serial += 1;
    // No change of some bytes makes one out of another.
    const mark = `probe-${seed.toString(16)}-${serial}-${marks.hex(8)}-`;
    const { target } = place.honest;
    const marked = `${target}${target.includes('?') ? '&' : '?'}m=${mark}`;
    const honest = { ...nowOf(place.honest), target: marked, mark };
    const hostile = pick(hostileRequests(honest));
    const bytes = hostile.bytes();
    const [heard, node] = await Promise.all([
      sendRaw(cloud.ports[place.port], bytes, CLOSE_MS),
      parser.read(place.swift ? asNodeTakesIt(bytes) : bytes),
    ]);
    noteLines(cloud.takeLog(), seen);
    const why =
      problem(place, heard, node, usual, bytes) ??
      (isRefusal(place, heard, node, bytes) ? null : unseen(seen.get(mark) ?? [], place, honest, node));
    seen.delete(mark);
    if (why !== null) {
      const answers = heard.answers.map(({ status }) => status).join(' ');
      throw new Error(
        `${place.port} ${place.honest.method}, ${hostile.name}: ${why}; answers ${answers}, node's parser ` +
          `${JSON.stringify(node).slice(0, 300)}, sent ${JSON.stringify(bytes.toString('latin1').slice(0, 900))}`,
      );
    }
    const kind = heard.answers.length === 0 ? 'closed' : `${Math.floor(heard.answers[0]!.status / 100)}xx`;
    tally[kind] = (tally[kind] ?? 0) + 1;
  };
  return { attempt, tally };
}

/**
 * The hostile HTTP corpus against every port of a running cloud, held beside node's own parser: what that refuses is refused,
 * what both take is the same request, connections end, and the next honest request is answered.
 */
export const part: Part = {
  name: 'http',
  share: 15,
  async run({ seed, count, report }) {
    const random = seededRandom(seed);
    const cloud = await startAttackedCloud();
    const parser = await nodeParser(NODE_HEAD_BYTES);
    try {
      const all = await places(cloud);
      const usual = new Map<Place, number>();
      const honestly = async (place: Place) => {
        const { method, target, headers, body } = nowOf(place.honest);
        const { status } = await cloud.ask(place.port, method, target, {
          headers,
          ...(body === '' ? {} : { body }),
        });
        return status;
      };
      // Twice: the first may make what the next ones find.
      for (const place of [...all, ...all]) usual.set(place, await honestly(place));
      const problems: string[] = [];
      const stillHonest = async () => {
        for (const place of all) {
          const status = await honestly(place);
          if (status !== usual.get(place))
            problems.push(`${place.port} answers an honest request with ${status}`);
        }
      };
      const { attempt, tally } = attackWith(cloud, parser, seed);
      const size = hostileRequests(all[0]!.honest).length;
      // Every case at every place once, from a point of the seed's; after that, changed ones.
      const first = random.int(size * all.length);
      const step = PRIMES.find(prime => (size * all.length) % prime !== 0)!;
      await eachOf(range(count), WIDTH, async n => {
        const at = (first + n * step) % (size * all.length);
        const place = all[at % all.length]!;
        const changed = n >= size * all.length;
        const pick = (corpus: Hostile[]) => {
          const known = corpus[Math.floor(at / all.length)]!;
          return changed ? mutated(known, random) : known;
        };
        await attempt(place, usual.get(place)!, pick).catch(error => problems.push((error as Error).message));
        if (problems.length > PROBLEMS_MAX) throw new Error(told(seed, problems));
      });
      await stillHonest();
      if (problems.length > 0) throw new Error(told(seed, problems));
      report(
        `http: ${count} connections to ${all.length} places, ${size} cases, seed ${seed}: ${JSON.stringify(tally)}`,
      );
      return count;
    } finally {
      await parser.stop();
      await cloud.stop();
    }
  },
};

const told = (seed: number, problems: readonly string[]) => `seed ${seed}:\n${problems.join('\n')}`;

function* range(count: number): Generator<number> {
  for (let n = 0; n < count; n++) yield n;
}
