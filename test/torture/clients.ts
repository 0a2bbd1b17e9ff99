import { createHash } from 'node:crypto';
import { type Random, seededRandom, systemClock } from '@folsom/core';
import { type Cloud, FLAVORS } from './cloud.ts';
import { count, type KnownServer, type Ledger, type Outcome } from './ledger.ts';

export interface Tenant {
  id: string;
  name: string;
  userId: string;
  token: string;
}

export interface Answer {
  /** 0: none came. */
  status: number;
  bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  json: any;
}

const ANSWER_MS = 45_000;
/** The last one is kept for probes. */
const TENANTS = ['red', 'blue', 'green', 'grey', 'probe'] as const;
const PASSWORD = 'torture-password';
const CONTAINER = 'kept';

export async function ask(
  url: string,
  token: string,
  init: {
    method?: string;
    body?: unknown;
    raw?: Uint8Array;
    headers?: Record<string, string>;
    timeoutMs?: number;
  } = {},
): Promise<Answer> {
  const { method = 'GET', body, raw, headers = {}, timeoutMs = ANSWER_MS } = init;
  try {
    const answer = await fetch(url, {
      method,
      headers: {
        'x-auth-token': token,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(raw === undefined ? {} : { body: Buffer.from(raw) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const isJson = answer.headers.get('content-type')?.includes('json') ?? false;
    return {
      status: answer.status,
      bytes,
      json: isJson && bytes.length > 0 ? JSON.parse(bytes.toString()) : undefined,
    };
  } catch {
    return { status: 0, bytes: Buffer.alloc(0), json: undefined };
  }
}

/** Tenants with a user each, an image to boot from, and a container. */
export async function populate(cloud: Cloud): Promise<{ tenants: Tenant[]; image: string }> {
  const admin = async (path: string, body?: unknown) => {
    const answer = await ask(
      `${cloud.identityAdmin}${path}`,
      cloud.adminToken,
      body === undefined ? {} : { method: 'POST', body },
    );
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.bytes}`);
    return answer.json;
  };
  const { roles } = await admin('/OS-KSADM/roles');
  const member = roles.find((role: { name: string }) => role.name === 'Member').id;
  const tenants: Tenant[] = [];
  for (const name of TENANTS) {
    const { tenant } = await admin('/tenants', { tenant: { name, enabled: true } });
    const made = { name, password: PASSWORD, tenantId: tenant.id, enabled: true };
    const { user } = await admin('/users', { user: made });
    await ask(
      `${cloud.identityAdmin}/tenants/${tenant.id}/users/${user.id}/roles/OS-KSADM/${member}`,
      cloud.adminToken,
      { method: 'PUT' },
    );
    const one: Tenant = { id: tenant.id, name, userId: user.id, token: '' };
    one.token = (await login(cloud, name)).json.access.token.id;
    const container = await ask(`${cloud.objects}/v1/AUTH_${tenant.id}/${CONTAINER}`, one.token, {
      method: 'PUT',
    });
    if (container.status >= 300) throw new Error(`container: ${container.status} ${container.bytes}`);
    tenants.push(one);
  }
  // A machine that finds nothing to boot from stands still, and costs nobody's time.
  const blank = Buffer.alloc(cloud.driver === 'libvirt' ? 1024 ** 2 : 1024);
  const image = await uploadImage(cloud, tenants[0]!, 'base', blank, true);
  if (image.status !== 201) throw new Error(`image: ${image.status} ${image.bytes}`);
  return { tenants, image: image.json.image.id };
}

const login = (cloud: Cloud, name: string) =>
  ask(`${cloud.identity}/tokens`, '', {
    method: 'POST',
    body: { auth: { tenantName: name, passwordCredentials: { username: name, password: PASSWORD } } },
  });

const uploadImage = (cloud: Cloud, tenant: Tenant, name: string, raw: Uint8Array, isPublic = false) =>
  ask(`${cloud.image}/v1/images`, tenant.token, {
    method: 'POST',
    raw,
    headers: {
      'content-type': 'application/octet-stream',
      'x-image-meta-name': name,
      'x-image-meta-disk_format': 'raw',
      'x-image-meta-container_format': 'bare',
      ...(isPublic ? { 'x-image-meta-is_public': 'true' } : {}),
    },
  });

/** What a user does to a server of his. */
const ACTIONS: Record<string, unknown> = {
  'soft reboot': { reboot: { type: 'SOFT' } },
  'hard reboot': { reboot: { type: 'HARD' } },
  pause: { pause: null },
  unpause: { unpause: null },
  suspend: { suspend: null },
  resume: { resume: null },
  stop: { 'os-stop': null },
  start: { 'os-start': null },
  rescue: { rescue: { adminPass: 'rescue-me' } },
  unrescue: { unrescue: null },
  confirm: { confirmResize: null },
  revert: { revertResize: null },
  snapshot: { createImage: { name: 'snapshot' } },
  password: { changePassword: { adminPass: 'another' } },
};

/**
 * Longest pause of a client, in milliseconds. Starting a real guest takes seconds, and one after the other on a host: more
 * that is asked for than can be done only waits.
 */
const PAUSE_MS = { fake: 400, libvirt: 8000 };

export interface Client {
  stop(): Promise<void>;
}

interface Hands {
  cloud: Cloud;
  ledger: Ledger;
  random: Random;
  tenant: Tenant;
  image: string;
  /** Of the run, so that what an earlier one has left is not taken for its own. */
  seed: number;
  index: number;
  serial: number;
}

/** One user who goes on and on, as the seed says, until he is stopped. */
export function startClient(
  cloud: Cloud,
  ledger: Ledger,
  options: { seed: number; index: number; tenant: Tenant; image: string },
): Client {
  const hands: Hands = {
    cloud,
    ledger,
    random: seededRandom(options.seed * 1000 + options.index),
    serial: 0,
    ...options,
  };
  let stopped = false;
  const bag = Object.entries(ACTS).flatMap(([name, { weight }]) =>
    Array.from({ length: weight }, () => name),
  );
  const done = (async () => {
    while (!stopped) {
      const name = bag[hands.random.int(bag.length)]!;
      await ACTS[name]!.act(hands).catch(error => void ledger.wrong.push(`${name}: ${String(error)}`));
      await systemClock.sleep(hands.random.int(PAUSE_MS[cloud.driver]));
    }
  })();
  return {
    stop: () => {
      stopped = true;
      return done;
    },
  };
}

/** How glance refuses an image that its disk has no room for. */
const saysFull = ({ status, bytes }: Answer): boolean =>
  status === 413 && bytes.includes('Image storage media is full');

/** Counts an answer; what is neither done nor refused in the words of the service is wrong. */
function judge(
  hands: Hands,
  kind: string,
  answer: Answer,
  done: readonly number[],
  refused: readonly number[],
): Outcome {
  const { status } = answer;
  let outcome: Outcome = 'failed';
  if (done.includes(status)) outcome = 'done';
  else if (status === 0) outcome = 'silent';
  else if (refused.includes(status)) outcome = 'refused';
  // A neighbour is away, or a disk is full; nothing else may go wrong.
  else if (status !== 503 && status !== 507 && !saysFull(answer))
    hands.ledger.wrong.push(`${kind}: ${status} ${answer.bytes.toString().slice(0, 300)}`);
  count(hands.ledger, kind, outcome);
  return outcome;
}

const nova = (hands: Hands, path: string, init: Parameters<typeof ask>[2] = {}) =>
  ask(`${hands.cloud.compute[hands.random.int(2)]}/v2/${hands.tenant.id}/${path}`, hands.tenant.token, init);

const STATES = [400, 404, 409, 413, 422];

async function boot(hands: Hands): Promise<void> {
  const { random, ledger, tenant } = hands;
  const flavorRef = String(101 + random.int(FLAVORS.length));
  const server = { name: `vm-${hands.index}-${hands.serial++}`, imageRef: hands.image, flavorRef };
  const answer = await nova(hands, 'servers', { method: 'POST', body: { server } });
  if (judge(hands, 'boot', answer, [202], [413]) !== 'done') return;
  const { id } = answer.json.server;
  ledger.servers.set(id, { id, tenant: tenant.id, deletion: 'none' });
}

function someServer(hands: Hands): KnownServer | undefined {
  const mine = [...hands.ledger.servers.values()].filter(
    one => one.tenant === hands.tenant.id && one.deletion !== 'acknowledged',
  );
  return mine[hands.random.int(mine.length)];
}

function missed(hands: Hands, server: KnownServer, answer: Answer): void {
  if (answer.status === 404 && server.deletion === 'none')
    hands.ledger.wrong.push(`lost: ${server.id} is not found, and nobody deleted it`);
}

async function act(hands: Hands): Promise<void> {
  const server = someServer(hands);
  if (server === undefined) return;
  const names = Object.keys(ACTIONS);
  const name = names[hands.random.int(names.length)]!;
  const answer = await nova(hands, `servers/${server.id}/action`, { method: 'POST', body: ACTIONS[name] });
  judge(hands, name, answer, [200, 202, 204], STATES);
  missed(hands, server, answer);
}

async function resize(hands: Hands): Promise<void> {
  const server = someServer(hands);
  if (server === undefined) return;
  const flavorRef = String(101 + hands.random.int(FLAVORS.length));
  const answer = await nova(hands, `servers/${server.id}/action`, {
    method: 'POST',
    body: { resize: { flavorRef } },
  });
  judge(hands, 'resize', answer, [202], STATES);
}

async function rebuild(hands: Hands): Promise<void> {
  const server = someServer(hands);
  if (server === undefined) return;
  const answer = await nova(hands, `servers/${server.id}/action`, {
    method: 'POST',
    body: { rebuild: { imageRef: hands.image } },
  });
  judge(hands, 'rebuild', answer, [202], STATES);
}

async function remove(hands: Hands): Promise<void> {
  const server = someServer(hands);
  if (server === undefined) return;
  if (server.deletion === 'none') server.deletion = 'asked';
  const answer = await nova(hands, `servers/${server.id}`, { method: 'DELETE' });
  if (judge(hands, 'delete server', answer, [204], [404, 409]) === 'done') server.deletion = 'acknowledged';
}

async function look(hands: Hands): Promise<void> {
  const { random } = hands;
  const server = someServer(hands);
  if (server === undefined || random.int(2) === 0) {
    judge(hands, 'list servers', await nova(hands, 'servers/detail'), [200], []);
    return;
  }
  const answer = await nova(hands, `servers/${server.id}`);
  judge(hands, 'show server', answer, [200], [404]);
  missed(hands, server, answer);
}

/** Objects of one client are touched by nobody else, so that it knows what is there. */
async function object(hands: Hands): Promise<void> {
  const { ledger, random, tenant, cloud } = hands;
  const path = `/v1/AUTH_${tenant.id}/${CONTAINER}/s${hands.seed}-c${hands.index}-${random.int(8)}`;
  const known = ledger.objects.get(path) ?? { client: hands.index, may: new Set([null]) };
  ledger.objects.set(path, known);
  const draw = random.int(10);
  if (draw < 5) {
    const raw = random.bytes(1 + random.int(random.int(6) === 0 ? 400_000 : 20_000));
    const sum = md5(raw);
    // Until it is answered either may be there.
    known.may.add(sum);
    const answer = await ask(cloud.objects + path, tenant.token, { method: 'PUT', raw });
    if (judge(hands, 'put object', answer, [201], []) === 'done') known.may = new Set([sum]);
  } else if (draw < 6) {
    known.may.add(null);
    const answer = await ask(cloud.objects + path, tenant.token, { method: 'DELETE' });
    if (judge(hands, 'delete object', answer, [204, 404], []) === 'done' && answer.status === 204)
      known.may = new Set([null]);
  } else {
    const answer = await ask(cloud.objects + path, tenant.token);
    if (judge(hands, 'get object', answer, [200, 404], []) === 'done') {
      const wrong = objectWrong(path, known.may, answer);
      if (wrong) ledger.wrong.push(wrong);
    }
  }
}

export const md5 = (data: Uint8Array): string => createHash('md5').update(data).digest('hex');

/** What is wrong with an answer about an object, if anything is. */
export function objectWrong(
  path: string,
  may: ReadonlySet<string | null>,
  answer: Answer,
): string | undefined {
  const seen = answer.status === 404 ? null : md5(answer.bytes);
  return may.has(seen)
    ? undefined
    : `lost: ${path} is ${seen ?? 'not there'}, and not ${[...may].join(' or ')}`;
}

async function image(hands: Hands): Promise<void> {
  const { ledger, random, tenant, cloud } = hands;
  const mine = [...ledger.images.values()].filter(one => one.deletion === 'none');
  if (mine.length > 30 || random.int(4) === 0) {
    const one = mine[random.int(mine.length)];
    if (one === undefined) return;
    one.deletion = 'asked';
    const answer = await ask(`${cloud.image}/v1/images/${one.id}`, tenant.token, { method: 'DELETE' });
    // Another tenant's is refused.
    const outcome = judge(hands, 'delete image', answer, [200], [403, 404]);
    if (outcome === 'done') one.deletion = 'acknowledged';
    else if (outcome === 'refused') one.deletion = 'none';
    return;
  }
  const raw = random.bytes(1 + random.int(100_000));
  const answer = await uploadImage(cloud, tenant, `image-${hands.index}-${hands.serial++}`, raw);
  if (judge(hands, 'upload image', answer, [201], []) !== 'done') return;
  const { id } = answer.json.image;
  ledger.images.set(id, { id, md5: md5(raw), deletion: 'none', token: tenant.token });
}

async function user(hands: Hands): Promise<void> {
  const { ledger, random, tenant, cloud } = hands;
  const known = [...ledger.users.entries()].filter(([, { deletion }]) => deletion === 'none');
  if (known.length > 20 && random.int(2) === 0) {
    const [id, one] = known[random.int(known.length)]!;
    one.deletion = 'asked';
    const answer = await ask(`${cloud.identityAdmin}/users/${id}`, cloud.adminToken, { method: 'DELETE' });
    if (judge(hands, 'delete user', answer, [204], [404]) === 'done') one.deletion = 'acknowledged';
    return;
  }
  const name = `user-${hands.index}-${hands.serial++}`;
  const body = { user: { name, password: PASSWORD, tenantId: tenant.id, enabled: true } };
  const answer = await ask(`${cloud.identityAdmin}/users`, cloud.adminToken, { method: 'POST', body });
  if (judge(hands, 'create user', answer, [200], [409]) === 'done')
    ledger.users.set(answer.json.user.id, { name, deletion: 'none' });
}

/** Opens and closes ports of the tenant's default group, under the feet of its servers. */
async function rules(hands: Hands): Promise<void> {
  const { random } = hands;
  const groups = await nova(hands, 'os-security-groups');
  if (judge(hands, 'list groups', groups, [200], []) !== 'done') return;
  const group = groups.json.security_groups[0];
  if (group === undefined) return;
  const rule = group.rules[random.int(group.rules.length * 2)];
  if (rule !== undefined) {
    const answer = await nova(hands, `os-security-group-rules/${rule.id}`, { method: 'DELETE' });
    judge(hands, 'delete rule', answer, [202], [404]);
    return;
  }
  const from_port = 1 + random.int(500);
  const made = {
    parent_group_id: group.id,
    ip_protocol: 'tcp',
    from_port,
    to_port: from_port,
    cidr: '0.0.0.0/0',
  };
  const body = { security_group_rule: made };
  // Another client was quicker, or there are as many as there may be.
  const answer = await nova(hands, 'os-security-group-rules', { method: 'POST', body });
  judge(hands, 'create rule', answer, [200], [400, 413]);
}

async function token(hands: Hands): Promise<void> {
  const answer = await login(hands.cloud, hands.tenant.name);
  if (judge(hands, 'login', answer, [200], []) === 'done') hands.tenant.token = answer.json.access.token.id;
}

const ACTS: Record<string, { weight: number; act: (hands: Hands) => Promise<void> }> = {
  boot: { weight: 6, act: boot },
  act: { weight: 8, act },
  resize: { weight: 3, act: resize },
  rebuild: { weight: 1, act: rebuild },
  remove: { weight: 5, act: remove },
  look: { weight: 4, act: look },
  object: { weight: 10, act: object },
  image: { weight: 3, act: image },
  rules: { weight: 2, act: rules },
  user: { weight: 1, act: user },
  token: { weight: 1, act: token },
};
