import type { Random } from '@folsom/core';
import { type Answer, type AttackedCloud, type ConsoleLogin, consoleLogin, eachOf } from './cloud.ts';
import { allRows, disturbed, type Estate } from './estate.ts';
import { adapted, type Declared, filled, type Sample, samplesOf } from './samples.ts';

/** Where the console passes the requests to a port on to; a catalog's endpoint has the tenant in it, or the account. */
const SERVICE_OF: Partial<Record<Declared['to'], readonly [service: string, before: RegExp]>> = {
  compute: ['compute', /^\/v2\/:project_id/],
  volume: ['volume', /^\/v1\/:project_id/],
  image: ['image', /^/],
  identityPublic: ['identity', /^/],
  identityAdmin: ['identity-admin', /^/],
  objectProxy: ['object-store', /^\/v1\/:account/],
};

/** Requests of somebody who has no login, or of a page that is not ours. */
const STRANGE = [
  'no cookie',
  'garbage',
  'ended',
  'no csrf token',
  "another's csrf token",
  'another site',
  'another origin',
  'X-Auth-Token alone',
] as const;
const NO_LOGIN: readonly How[] = ['no cookie', 'garbage', 'ended', 'X-Auth-Token alone'];
/** Logins that are good, and what they may not ask for. */
const OWN = ['own', 'foreign'] as const;
type How = (typeof STRANGE)[number] | (typeof OWN)[number];

interface Stage {
  cloud: AttackedCloud;
  random: Random;
  image: string;
  /** Whose browser it is, and who owns what is asked for. */
  victim: Estate;
  stranger: Estate;
  ended: ConsoleLogin;
}

interface Request {
  operation: Declared;
  sample: Sample | undefined;
  how: How;
}

function headersOf({ cloud, victim, stranger, random, ended }: Stage, how: How): Record<string, string> {
  const login = { ...victim.owner.console };
  const cookieOnly = { cookie: login.cookie };
  const [name = ''] = login.cookie.split('=');
  switch (how) {
    case 'no cookie':
      return {};
    case 'garbage':
      return { ...login, cookie: `${name}=${random.hex(43)}` };
    case 'ended':
      return { ...ended };
    case 'no csrf token':
      return cookieOnly;
    case "another's csrf token":
      return { ...cookieOnly, 'x-csrf-token': stranger.owner.console['x-csrf-token'] };
    case 'another site':
      return { ...login, 'sec-fetch-site': random.int(2) === 0 ? 'cross-site' : 'same-site' };
    case 'another origin':
      return { ...login, origin: `http://127.0.0.1:${cloud.ports.novncproxy}` };
    case 'X-Auth-Token alone':
      return { 'x-auth-token': victim.owner.token };
    default:
      return { ...stranger.owner.console };
  }
}

async function send(stage: Stage, { operation, sample, how }: Request): Promise<[Answer, string]> {
  const { cloud, victim, stranger, image } = stage;
  const ids = how === 'own' ? stranger.ids : victim.ids;
  const [service, before] = SERVICE_OF[operation.to]!;
  const below = filled(operation.pattern.replace(before, ''), ids, ids.tenants!, null);
  const path = `/api/cloud/${service}${below === '' ? '/' : below}`;
  const writes = /^(POST|PUT|PATCH)$/.test(operation.method);
  const body = sample ? adapted(sample.body, victim.ids, image) : writes ? '{}' : undefined;
  const answer = await cloud.ask('consoleWeb', operation.method, path, {
    headers: {
      ...(body === undefined ? {} : { 'content-type': sample?.type || 'application/json' }),
      ...headersOf(stage, how),
    },
    ...(body === undefined ? {} : { body }),
  });
  const shown = `console, ${how}: ${operation.method} ${path} ${(body ?? '').slice(0, 200)}: ${answer.status} ${answer.text.slice(0, 300)}`;
  return [answer, shown];
}

function problemOf({ victim, cloud }: Stage, { operation, how }: Request, answer: Answer): string | null {
  if (answer.status >= 500 && answer.status !== 501) return 'an error of its own';
  const reads = operation.method === 'GET' || operation.method === 'HEAD';
  const known = how === 'own' || how === 'foreign';
  // With the right cookie a look is answered, to a page that cannot read what it is told.
  const noLogin = NO_LOGIN.includes(how);
  if (noLogin && answer.status !== 401) return 'let in without a login';
  if (!known && !noLogin && !reads && answer.status !== 403 && answer.status !== 401)
    return 'done for a page that is not ours';
  if ((noLogin || known) && answer.text.includes(victim.mark)) return "another tenant's data";
  const said = answer.text + JSON.stringify(answer.headers);
  if ([cloud.admin, cloud.alice, cloud.bob].some(({ token }) => said.includes(token))) return 'a token';
  const type = String(answer.headers['content-type'] ?? 'application/json');
  if (/html|xml|javascript|svg/.test(type) || answer.headers['x-content-type-options'] !== 'nosniff')
    return `may be run by a browser (${type})`;
  return answer.headers['set-cookie'] === undefined ? null : 'a cookie of a service';
}

/** Paths that seem to lead out of the endpoint of a service. */
const outside = (account: string): string[] =>
  [
    `../${account}/x`, `%2e%2e/${account}/x`, `.%2e/${account}`, `c/../../${account}/x`, `./x`, `..`, `%2E%2E`, `..;/${account}`, `..%2f${account}/x`,
    `..%5c${account}`, `..\\${account}`, `//evil.example/x`, `@evil.example/x`, `:@evil.example/x`, `%40evil.example`, `c?x=/../../${account}`, `c#/../${account}`,
  ]; // biome-ignore format: a table

/**
 * Everything that can be asked through the web console, by browsers with no login, a garbled or ended one, by pages of other
 * sites with somebody's cookie, and by another tenant for what is not his. Throws nothing; tells what gave way.
 */
export async function attackConsole(
  scene: { cloud: AttackedCloud; alice: Estate; bob: Estate; image: string; random: Random },
  operations: readonly Declared[],
  count: number,
): Promise<{ sent: number; problems: string[] }> {
  const { cloud, random, alice: victim, bob: stranger } = scene;
  const ended = await sessionThatEnded(scene);
  const stage: Stage = { cloud, random, image: scene.image, victim, stranger, ended };
  const reachable = operations.filter(
    ({ to, method, pattern }) => SERVICE_OF[to]?.[1].test(pattern) && !/^(COPY|OPTIONS)$/.test(method),
  );
  const samples = samplesOf(reachable);
  const requests = reachable.flatMap(operation =>
    (samples.get(operation) ?? [undefined]).flatMap(sample =>
      [...STRANGE, ...OWN].map(how => ({ operation, sample, how })),
    ),
  );
  for (let at = requests.length - 1; at > 0; at--) {
    const other = random.int(at + 1);
    [requests[at], requests[other]] = [requests[other]!, requests[at]!];
  }
  const before = await allRows(cloud);
  const problems: string[] = [];
  const chosen = requests.slice(0, count);
  await eachOf(chosen, 6, async request => {
    const [answer, shown] = await send(stage, request);
    const why = problemOf(stage, request, answer);
    if (why !== null) problems.push(`${why}: ${shown}`);
    // A service that says 401 ends the login: wrong passwords are among what is sent on.
    if (answer.status === 401 && !NO_LOGIN.includes(request.how)) await renewed(cloud);
    cloud.takeLog();
  });
  for (const path of outside(victim.ids.account!)) {
    for (const service of ['object-store', 'identity', 'compute']) {
      const headers = { ...stranger.owner.console };
      const answer = await cloud.ask('consoleWeb', 'GET', `/api/cloud/${service}/${path}`, { headers });
      if (answer.status >= 500 || answer.text.includes(victim.mark))
        problems.push(
          `out of its endpoint: ${service}/${path}: ${answer.status} ${answer.text.slice(0, 200)}`,
        );
    }
  }
  for (const row of disturbed(before, await allRows(cloud), victim, stranger.traces))
    problems.push(`changed through the console by somebody else: ${row}`);
  return { sent: chosen.length, problems };
}

/** New logins for those that have ended. */
async function renewed(cloud: AttackedCloud): Promise<void> {
  for (const name of ['alice', 'bob'] as const) {
    const now = await cloud.ask('consoleWeb', 'GET', '/api/session', { headers: { ...cloud[name].console } });
    if (now.text.includes('"user":null'))
      cloud[name].console = await consoleLogin(cloud.ask, name, cloud.passwords[name]);
  }
}

/** A login that was good. */
async function sessionThatEnded({ cloud }: { cloud: AttackedCloud }): Promise<ConsoleLogin> {
  const login = await consoleLogin(cloud.ask, 'alice', cloud.passwords.alice);
  await cloud.ask('consoleWeb', 'DELETE', '/api/session', { headers: { ...login } });
  return login;
}
