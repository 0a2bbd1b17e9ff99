import { createHash } from 'node:crypto';
import { must, seededRandom, systemClock } from '@folsom/core';
import { request, type Told } from '../folsom/request.ts';
import { readSecrets } from './conf.ts';
import { login } from './populate.ts';
import type { Lab } from './processes.ts';

/** People who use the lab while something is done to it: what they were told, and what became of it. */

const ANSWER_MS = 30_000;
/** Longest pause of a client between two things. */
const PAUSE_MS = 400;
const LOOK_MS = 250;
/** What was accepted and is not done by then never will be. */
const PATIENCE_MS = 120_000;
const CONTAINER = 'lab';
const OBJECT_BYTES = 4096;
const KEPT_OBJECTS = 200;

/** A request that was not answered as it should be. */
interface Failure {
  at: number;
  what: string;
  /** 0: no answer. */
  status: number;
}

export interface Load {
  /** Requests that were answered. */
  requests(): number;
  errors: Failure[];
  /** Waits until a server that is asked for now is ACTIVE; milliseconds from the call on. */
  probe(): Promise<number>;
  /** Ends the clients, waits for what they have begun, and looks at what is there. */
  finish(): Promise<{ lost: string[]; stuck: string[]; booted: number; stored: number }>;
}

interface Cloud {
  addresses: readonly string[];
  token: string;
  tenant: string;
  image: string;
  flavor: string;
}

/** Addresses whose API runs: clients turn to the next where one does not take a connection. */
const hostsOf = (lab: Lab, service: string): string[] =>
  lab.plan.plan
    .filter(({ services }) => services.some(name => name === service))
    .map(({ address }) => address);

export async function startLoad(lab: Lab, clients: number, seed: number): Promise<Load> {
  const cloud = await openCloud(lab);
  const errors: Failure[] = [];
  const lost: string[] = [];
  const stuck: string[] = [];
  const objects = new Map<string, string>();
  let requests = 0;
  let booted = 0;
  let ending = false;

  const ask = async (
    what: string,
    port: number,
    path: string,
    init: Ask,
    good: readonly number[],
    to = errors,
  ) => {
    const told = await askOneOf(cloud, port, path, init);
    requests++;
    if (!good.includes(told.status)) to.push({ at: systemClock.monotonic(), what, status: told.status });
    return told;
  };

  /** Boots one, waits until it is ACTIVE, deletes it, waits until it is gone; milliseconds until ACTIVE. */
  const oneServer = async (name: string, to = errors): Promise<number | undefined> => {
    const nova = (what: string, path: string, init: Ask, good: readonly number[]) =>
      ask(what, 8774, `/v2/${cloud.tenant}/${path}`, init, good, to);
    const from = systemClock.monotonic();
    const server = { name, imageRef: cloud.image, flavorRef: cloud.flavor };
    const answer = await nova('boot', 'servers', { method: 'POST', body: { server } }, [202]);
    if (answer.status !== 202) return undefined;
    const { id } = (JSON.parse(answer.text) as { server: { id: string } }).server;
    let missing = 0;
    const state = async () => {
      const shown = await nova('show server', `servers/${id}`, { method: 'GET' }, [200, 404]);
      if (shown.status === 404) return 'gone';
      if (shown.status !== 200) return undefined;
      return (JSON.parse(shown.text) as { server: { status: string } }).server.status;
    };
    const until = async (wanted: string) => {
      const end = systemClock.monotonic() + PATIENCE_MS;
      for (;;) {
        const seen = await state();
        if (seen === wanted) return true;
        if (seen === 'ERROR' && wanted === 'ACTIVE') return void stuck.push(`${name} ${id} is ERROR`);
        // Twice: a database that has just come back may be asked before it was filled.
        if (seen === 'gone' && ++missing > 1) return void lost.push(`${name} ${id} is not found`);
        if (systemClock.monotonic() > end) return void stuck.push(`${name} ${id} is ${seen}, not ${wanted}`);
        await systemClock.sleep(LOOK_MS);
      }
    };
    const active = await until('ACTIVE');
    const ms = systemClock.monotonic() - from;
    if (active) booted++;
    for (let tries = 0; tries < PATIENCE_MS / 1000; tries++) {
      const { status } = await nova('delete server', `servers/${id}`, { method: 'DELETE' }, [204, 404]);
      if (status === 204 || status === 404) break;
      await systemClock.sleep(1000);
    }
    await until('gone');
    return active ? ms : undefined;
  };

  const oneObject = async (name: string, bytes: Buffer) => {
    const path = `/v1/AUTH_${cloud.tenant}/${CONTAINER}/${name}`;
    const put = await ask('put object', 8080, path, { method: 'PUT', body: bytes }, [201]);
    if (put.status === 201) objects.set(path, md5(bytes));
  };

  const look = async () => {
    await ask('list servers', 8774, `/v2/${cloud.tenant}/servers/detail`, { method: 'GET' }, [200]);
    await ask('list images', 9292, '/v1/images', { method: 'GET' }, [200]);
    await ask('show tenant', 5000, '/v2.0/tenants', { method: 'GET' }, [200]);
  };

  const client = async (index: number) => {
    const random = seededRandom(seed * 1000 + index);
    for (let at = 0; !ending; at++) {
      const draw = random.int(4);
      if (draw === 0) await oneServer(`load-${index}-${at}`);
      else if (draw === 1 && objects.size < KEPT_OBJECTS)
        await oneObject(`${seed}-${index}-${at}`, Buffer.from(random.hex(OBJECT_BYTES)));
      else await look();
      await systemClock.sleep(random.int(PAUSE_MS));
    }
  };
  const running = Array.from({ length: clients }, (_, index) => client(index));

  return {
    requests: () => requests,
    errors,
    probe: async () => {
      const from = systemClock.monotonic();
      for (let at = 0; systemClock.monotonic() - from < PATIENCE_MS; at++) {
        // What a probe is refused is no client's error: it asks until it is not.
        const waited = systemClock.monotonic() - from;
        const ms = await oneServer(`probe-${Math.floor(from)}-${at}`, []);
        if (ms !== undefined) return waited + ms;
        await systemClock.sleep(LOOK_MS);
      }
      stuck.push('no server can be booted');
      return PATIENCE_MS;
    },
    finish: async () => {
      ending = true;
      await Promise.all(running);
      for (const [path, sum] of objects) {
        const told = await askOneOf(cloud, 8080, path, { method: 'GET' });
        if (told.status !== 200) lost.push(`${path}: ${told.status}`);
        else if (md5(Buffer.from(told.text)) !== sum) lost.push(`${path} is another`);
      }
      return { lost, stuck, booted, stored: objects.size };
    },
  };
}

interface Ask {
  method: string;
  /** Sent as JSON when it is no buffer. */
  body?: object | Buffer;
}

/** Asks the first of the APIs that takes a connection, as whoever balances between them does. */
async function askOneOf(cloud: Cloud, port: number, path: string, init: Ask): Promise<Told> {
  let told: Told = { status: 0, text: '' };
  for (const address of cloud.addresses) {
    const asked = { ...init, headers: { 'x-auth-token': cloud.token }, timeoutMs: ANSWER_MS };
    const answer = await request(`http://${address}:${port}${path}`, asked).catch((error: unknown) => error);
    if (!(answer instanceof Error)) return answer as Told;
    told = { status: 0, text: String((answer as NodeJS.ErrnoException).code ?? answer.message) };
    // Whatever was sent may have been done: only who was not there at all is passed over.
    if (told.text !== 'ECONNREFUSED' && told.text !== 'EHOSTUNREACH') return told;
  }
  return told;
}

async function openCloud(lab: Lab): Promise<Cloud> {
  const addresses = hostsOf(lab, 'nova-api');
  const first = must(addresses[0], 'somebody serves the APIs');
  const token = await login(first, readSecrets(lab.place).password);
  const get = async (port: number, path: string, method = 'GET') => {
    const asked = { method, headers: { 'x-auth-token': token }, timeoutMs: ANSWER_MS };
    const { status, text } = await request(`http://${first}:${port}${path}`, asked);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 200)}`);
    return text;
  };
  const { tenants } = JSON.parse(await get(5000, '/v2.0/tenants')) as {
    tenants: { id: string; name: string }[];
  };
  const tenant = must(
    tenants.find(({ name }) => name === 'admin'),
    'there is a tenant admin',
  ).id;
  const { images } = JSON.parse(await get(9292, '/v1/images?name=guest')) as { images: { id: string }[] };
  await get(8080, `/v1/AUTH_${tenant}/${CONTAINER}`, 'PUT');
  return { addresses, token, tenant, image: must(images[0], 'there is an image').id, flavor: '1' };
}

const md5 = (data: Uint8Array): string => createHash('md5').update(data).digest('hex');
