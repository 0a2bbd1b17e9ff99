import type { Random } from '@folsom/core';
import { type Answer, FLAVORS, IMAGE, PROCESSES, type SimulatedCloud, type Tenant } from './cloud.ts';

/** What a user knows of a server. */
interface Server {
  id: string;
  tenant: Tenant;
  deletion: 'none' | 'asked' | 'acknowledged';
}

export interface History {
  /** One line an event, in order. */
  events: string[];
  /** Servers whose boot was acknowledged. */
  servers: Server[];
  /** Answers that no fault of the surroundings explains. */
  wrong: string[];
  actions: number;
  crashes: number;
}

type Act = (server: Server, random: Random) => { method?: string; path?: string; body?: unknown };

const ACTIONS: Record<string, Act> = {
  'soft reboot': () => ({ body: { reboot: { type: 'SOFT' } } }),
  'hard reboot': () => ({ body: { reboot: { type: 'HARD' } } }),
  pause: () => ({ body: { pause: null } }),
  unpause: () => ({ body: { unpause: null } }),
  suspend: () => ({ body: { suspend: null } }),
  resume: () => ({ body: { resume: null } }),
  stop: () => ({ body: { 'os-stop': null } }),
  start: () => ({ body: { 'os-start': null } }),
  rescue: () => ({ body: { rescue: { adminPass: 'rescue-me' } } }),
  unrescue: () => ({ body: { unrescue: null } }),
  resize: (_server, random) => ({
    body: { resize: { flavorRef: String(101 + random.int(FLAVORS.length)) } },
  }),
  confirm: () => ({ body: { confirmResize: null } }),
  revert: () => ({ body: { revertResize: null } }),
  rebuild: () => ({ body: { rebuild: { imageRef: IMAGE } } }),
  snapshot: () => ({ body: { createImage: { name: 'snapshot' } } }),
  password: () => ({ body: { changePassword: { adminPass: 'another' } } }),
  rename: () => ({ method: 'PUT', path: '', body: { server: { name: 'renamed' } } }),
  metadata: () => ({ method: 'POST', path: '/metadata', body: { metadata: { key: 'value' } } }),
  show: () => ({ method: 'GET', path: '' }),
  delete: () => ({ method: 'DELETE', path: '' }),
};
/** Resizes are two acts, so their second half must come often enough; deletions make room. */
const WEIGHTS: Record<string, number> = {
  resize: 4,
  confirm: 4,
  revert: 2,
  delete: 4,
  snapshot: 2,
  rebuild: 2,
};
const BAG = Object.keys(ACTIONS).flatMap(name => Array.from({ length: WEIGHTS[name] ?? 1 }, () => name));

/** Users do as they like and processes die as they like, for `steps` steps; then everything runs again, undisturbed. */
export async function randomHistory(cloud: SimulatedCloud, random: Random, steps: number): Promise<History> {
  const history: History = { events: [], servers: [], wrong: [], actions: 0, crashes: 0 };
  const pending = new Set<Promise<void>>();
  const tell = (text: string) =>
    history.events.push(`${(cloud.clock.monotonic() / 1000).toFixed(1)} ${text}`);
  const inBackground = (work: Promise<void>) => {
    const done = work
      .catch(error => void history.wrong.push(String(error)))
      .finally(() => pending.delete(done));
    pending.add(done);
  };

  const judge = (what: string, { status, text }: Answer) => {
    tell(`${what}: ${status || 'no answer'}`);
    // Folsom's word for an instance that changed in the middle of one of these.
    if (status === 422 && /^(un)?pause|^suspend|^resume/.test(what)) return;
    // 413 is a quota, 409 (or 400) a state that does not fit, 404 a server that is gone.
    if (status >= 400 && ![400, 404, 409, 413].includes(status))
      history.wrong.push(`${what}: ${status} ${text}`);
  };

  const boot = async () => {
    const tenant = random.int(2) ? 'red' : 'blue';
    const flavorRef = String(101 + random.int(FLAVORS.length));
    const min_count = 1 + random.int(2);
    const server = { name: `vm${history.servers.length}`, imageRef: IMAGE, flavorRef, min_count };
    const answer = await cloud.call(tenant, 'POST', 'servers', { server });
    judge(`${tenant} boots ${min_count}`, answer);
    if (![0, 202, 413].includes(answer.status)) history.wrong.push(`a boot was refused: ${answer.text}`);
    if (answer.status !== 202) return;
    const { id } = answer.json.server;
    tell(`  is ${id}`);
    history.servers.push({ id, tenant, deletion: 'none' });
  };

  const act = async () => {
    const server = history.servers[random.int(history.servers.length)]!;
    if (server.deletion === 'acknowledged') return;
    const name = BAG[random.int(BAG.length)]!;
    const { method = 'POST', path = '/action', body } = ACTIONS[name]!(server, random);
    if (name === 'delete' && server.deletion === 'none') server.deletion = 'asked';
    const answer = await cloud.call(server.tenant, method, `servers/${server.id}${path}`, body);
    judge(`${name} ${server.id}`, answer);
    if (answer.status === 404 && server.deletion === 'none')
      history.wrong.push(`${server.id} is not found, and nobody deleted it`);
    if (name === 'delete' && answer.status === 204) server.deletion = 'acknowledged';
  };

  for (let step = 0; step < steps; step++) {
    const draw = random.int(100);
    if (draw < 8) {
      const name = PROCESSES[random.int(PROCESSES.length)]!;
      if (cloud.running(name)) {
        tell(`${name} dies`);
        history.crashes++;
        cloud.kill(name);
        // Without the API there is no history.
        const downMs = 500 + random.int(name.startsWith('api') ? 5_000 : 90_000);
        inBackground(
          cloud.clock.sleep(downMs).then(async () => {
            tell(`${name} starts`);
            await cloud.start(name);
          }),
        );
      }
    } else {
      history.actions++;
      inBackground(history.servers.length < 3 || draw < 30 ? boot() : act());
    }
    // Often at once, so that things happen in the middle of others.
    await cloud.clock.advance(random.int(3) === 0 ? random.int(12_000) : random.int(400));
  }
  cloud.calm();
  tell('calm');
  while (pending.size > 0) await cloud.until(Promise.all([...pending]));
  return history;
}

/** Time in which audits put in order what was lost, with everything running. */
export async function heal(cloud: SimulatedCloud): Promise<void> {
  for (let minute = 0; minute < HEAL_MINUTES; minute++) await cloud.clock.advance(60_000);
}
const HEAL_MINUTES = 30;
