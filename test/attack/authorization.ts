import { EC2_ACTIONS } from '@folsom/compute-api/reference';
import { type Random, seededRandom } from '@folsom/core';
import type { PortName } from '@folsom/deploy/folsom/layout';
import { operations } from '@folsom/object-proxy/operations';
import { type Answer, type AttackedCloud, eachOf, type Person, startAttackedCloud } from './cloud.ts';
import { attackConsole } from './console.ts';
import { attackEc2 } from './ec2.ts';
import type { Ec2Keys } from './ec2-signing.ts';
import { allRows, disturbed, type Estate, keysOf, makeEstate } from './estate.ts';
import type { Part } from './part.ts';
import { adapted, type Declared, declared, filled, type Sample, samplesOf } from './samples.ts';

/** What answers whoever asks, and has nothing of anybody's: each with its port. */
const PUBLIC =
  /^(\w+ (GET|HEAD) \/(healthz|readyz|\*)?|consoleWeb GET \/(api\/session|(?!api)[a-z]+(\/.*)?)|compute GET \/(v2|v1\.1)(\/|\/\*)?|identity\w+ GET \/(v2\.0(\/extensions(\/:alias)?|\/certificates\/(ca|signing)|\/OS-FOLSOM\/token-keys)?)?)$/;

const CALLERS = ['none', 'garbage', 'expired', 'stranger', 'member', 'admin'] as const;
type Caller = (typeof CALLERS)[number];
/** Whose ids stand in the path; `crossed` has the caller's tenant in front of another's ids. */
const TARGETS = ['own', 'foreign', 'crossed', 'unknown'] as const;
type Target = (typeof TARGETS)[number];

/** One request of the matrix. */
interface Cell {
  operation: Declared;
  sample: Sample | undefined;
  caller: Caller;
  target: Target;
}

/** swift's operations, as paths with the same parameters. */
const swiftOperations = (): Declared[] =>
  operations.map(({ method, path }) => ({
    to: 'objectProxy' as PortName,
    method,
    pattern: `/v1/${path}`,
  }));

/** All of the matrix for some callers, in an order of the seed's. */
function matrix(operations: readonly Declared[], callers: readonly Caller[], random: Random): Cell[] {
  const samples = samplesOf(operations);
  const cells = operations.flatMap(operation =>
    (samples.get(operation) ?? [undefined]).flatMap(sample =>
      callers.flatMap(caller => TARGETS.map(target => ({ operation, sample, caller, target }))),
    ),
  );
  for (let at = cells.length - 1; at > 0; at--) {
    const other = random.int(at + 1);
    [cells[at], cells[other]] = [cells[other]!, cells[at]!];
  }
  return cells;
}

function tokensOf(cloud: AttackedCloud, random: Random): Record<Caller, Person & { token: string | null }> {
  const nobody = (token: string | null) => ({ ...cloud.bob, token: token as string });
  return {
    none: nobody(null),
    garbage: nobody(random.hex(32)),
    expired: { ...cloud.alice, token: cloud.expired },
    stranger: cloud.bob,
    member: cloud.alice,
    admin: cloud.admin,
  };
}

interface Scene {
  cloud: AttackedCloud;
  alice: Estate;
  bob: Estate;
  image: string;
  random: Random;
  /** The administrator's. */
  admin: Ec2Keys;
  tokens: ReturnType<typeof tokensOf>;
  tally: Record<string, number>;
}

const CALLER_ESTATE: Record<Caller, 'alice' | 'bob'> = {
  none: 'bob',
  garbage: 'bob',
  expired: 'alice',
  stranger: 'bob',
  member: 'alice',
  admin: 'bob',
};

async function send(
  scene: Scene,
  { operation, sample, caller, target }: Cell,
): Promise<{ answer: Answer; shown: string }> {
  const { cloud, random, tokens } = scene;
  const own = scene[CALLER_ESTATE[caller]];
  const foreign = own === scene.alice ? scene.bob : scene.alice;
  // Whoever has no login of his own asks for what is alice's.
  const ids = target === 'own' ? own.ids : foreign.ids;
  const tenant = target === 'foreign' ? foreign.owner.tenant : tokens[caller].tenant;
  const path = filled(operation.pattern, ids, tenant, target === 'unknown' ? random : null);
  const writes = /^(POST|PUT|PATCH|COPY)$/.test(operation.method);
  const body = sample
    ? adapted(sample.body, foreign.ids, scene.image)
    : writes
      ? operation.to === 'objectProxy'
        ? 'overwritten'
        : '{}'
      : undefined;
  const headers: Record<string, string> = {
    ...(body === undefined || operation.to === 'objectProxy'
      ? {}
      : { 'content-type': sample?.type || 'application/json' }),
    ...(operation.method === 'COPY' ? { destination: '/stolen/thing' } : {}),
    ...(operation.to === 'objectProxy' && writes && target !== 'own'
      ? { 'x-container-read': '.r:*', 'x-object-meta-secret': 'overwritten' }
      : {}),
  };
  const answer = await cloud.ask(operation.to, operation.method, path, {
    token: tokens[caller].token,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const shown = `${caller}, ${target}: ${operation.to} ${operation.method} ${path} ${(body ?? '').slice(0, 200)}: ${answer.status} ${answer.text.slice(0, 300)}`;
  return { answer, shown };
}

/** What an answer must not be, whoever asked. */
function problemOf(scene: Scene, cell: Cell, answer: Answer): string | null {
  const { caller, operation } = cell;
  const name = `${operation.to} ${operation.method} ${operation.pattern}`;
  // Some things are not there with the fake hypervisor, some not at all.
  if (answer.status >= 500 && answer.status !== 501) return 'an error of its own';
  const knows = caller === 'stranger' || caller === 'member' || caller === 'admin';
  if (!knows && answer.status < 300 && !PUBLIC.test(name)) return 'answered without a login';
  if (caller === 'admin') return null;
  const foreign = CALLER_ESTATE[caller] === 'alice' ? scene.bob : scene.alice;
  if (answer.text.includes(foreign.mark) || JSON.stringify(answer.headers).includes(foreign.mark))
    return "another tenant's data";
  if (!knows && [scene.alice, scene.bob].some(({ mark }) => answer.text.includes(mark)))
    return "a tenant's data";
  return null;
}

/** Runs cells; afterwards nothing of `victim` (or of nobody) is other than it was. */
async function phase(scene: Scene, cells: readonly Cell[], victim: Estate | null): Promise<string[]> {
  const { cloud, alice, bob } = scene;
  const others = victim === alice ? bob : alice;
  const before = victim ? await allRows(cloud) : null;
  const problems: string[] = [];
  await eachOf(cells, 6, async cell => {
    const { answer, shown } = await send(scene, cell);
    const why = problemOf(scene, cell, answer);
    if (why !== null) problems.push(`${why}: ${shown}`);
    const key = `${cell.caller} ${Math.floor(answer.status / 100)}xx`;
    scene.tally[key] = (scene.tally[key] ?? 0) + 1;
    cloud.takeLog();
  });
  if (!victim || !before) return problems;
  for (const row of disturbed(before, await allRows(cloud), victim, others.traces))
    problems.push(`changed by somebody else: ${row}`);
  const { ids, mark, owner } = victim;
  const thing = await cloud.ask('objectProxy', 'GET', `/v1/${ids.account}/${ids.container}/${ids.object}`, {
    token: owner.token,
  });
  if (thing.text !== mark || thing.headers['x-object-meta-secret'] !== mark)
    problems.push(`an object was changed: ${thing.status} ${thing.text}`);
  const box = await cloud.ask('objectProxy', 'GET', `/v1/${ids.account}/${ids.container}`, {
    token: owner.token,
  });
  if (box.text.trim() !== ids.object || box.headers['x-container-read'] !== undefined)
    problems.push(`a container was changed: ${box.text}`);
  return problems;
}

/**
 * Every operation that the applications declare, asked by nobody, with garbage, with a token that has ended, by a stranger, a
 * member and an administrator, for what is his own, another's, and what is not there. Never an error of ours, never another
 * tenant's data, and whatever was there is there unchanged, unless who asked may change it.
 */
export const part: Part = {
  name: 'authorization',
  share: 30,
  async run({ seed, count, report }) {
    const random = seededRandom(seed);
    const cloud = await startAttackedCloud();
    try {
      const alice = await makeEstate(cloud, cloud.alice, 'alice');
      const bob = await makeEstate(cloud, cloud.bob, 'bob');
      const guest = await cloud.ask('image', 'GET', '/v2/images?name=guest', { token: cloud.alice.token });
      const scene: Scene = {
        cloud,
        alice,
        bob,
        image: JSON.parse(guest.text).images[0].id,
        random,
        admin: await keysOf(cloud, cloud.admin),
        tokens: tokensOf(cloud, random),
        tally: {},
      };
      const operations = [...declared(cloud), ...swiftOperations()];
      // An administrator may do anything, also end what the others are about to ask for: he comes last.
      const phases = [
        { callers: ['none', 'garbage', 'expired', 'stranger'], share: 0.45 },
        { callers: ['member'], share: 0.1 },
        { callers: ['admin'], share: 0.1 },
      ] as const;
      const through = await attackConsole(scene, operations, Math.ceil(count * 0.2));
      const signed = await attackEc2(scene, 'strangers', Math.ceil(count * 0.1));
      let sent = through.sent + signed.sent;
      const problems = [...through.problems, ...signed.problems];
      scene.bob = await makeEstate(cloud, cloud.bob, 'dora');
      for (const { callers, share } of phases) {
        // By then he has done to his own what he liked.
        if (callers[0] === 'member') scene.bob = await makeEstate(cloud, cloud.bob, 'carl');
        const victim = callers[0] === 'admin' ? null : callers[0] === 'member' ? scene.bob : scene.alice;
        const cells = matrix(operations, callers, random).slice(0, Math.ceil(count * share));
        sent += cells.length;
        problems.push(...(await phase(scene, cells, victim)));
      }
      const last = await attackEc2(scene, 'administrator', Math.ceil(count * 0.05));
      sent += last.sent;
      problems.push(...last.problems);
      if (problems.length > 0)
        throw new Error(`seed ${seed}, ${problems.length} problems:\n${problems.join('\n')}`);
      report(
        `authorization: ${sent} requests to ${operations.length} operations and ${EC2_ACTIONS.length} actions, seed ${seed}: ${JSON.stringify(scene.tally)}`,
      );
      return sent;
    } finally {
      await cloud.stop();
    }
  },
};
