import { join } from 'node:path';
import { must, type Random, systemClock } from '@folsom/core';
import type { Database } from '@folsom/db';
import { run } from '@folsom/host';
import { type Answer, ask } from '../../torture/clients.ts';
import { PATIENCE_MS, sshTo } from '../host-under-test.ts';

/** What a server is as its user has left it. */
export type State = 'active' | 'paused' | 'suspended' | 'stopped' | 'rescued' | 'resized';

/** How the API shows it. */
const STATUS: Record<State, string> = {
  active: 'ACTIVE',
  paused: 'PAUSED',
  suspended: 'SUSPENDED',
  stopped: 'SHUTOFF',
  rescued: 'RESCUE',
  resized: 'VERIFY_RESIZE',
};

export interface Server {
  id: string;
  name: string;
  state: State;
  /** Its fixed address. */
  address: string;
  flavor: string;
  /** The flavor it is resized to and not yet confirmed. */
  resizedTo?: string;
  /** What it was made of, and what is written there. */
  image: WalkImage;
  /** What is written on its own disk; a rebuilt one has it no more until it is written anew. */
  mark: string;
  /** The kernel's name of this run of the guest, once it was heard: changes with each boot, and with nothing else. */
  bootId: string | undefined;
  /** Of the run before. */
  formerBootId: string | undefined;
  volumes: Volume[];
}

export interface WalkImage {
  id: string;
  /** What is written there, where it is a snapshot. */
  mark: string | undefined;
  /** A filesystem alone, not a disk: its snapshots have every byte of it. */
  bare: boolean;
}

export interface Volume {
  id: string;
  /** `vdb` while it is attached. */
  device: string | undefined;
  /** Its first bytes, once a guest has written them. */
  bytes: string | undefined;
}

/** Something a user does to one of his servers. */
export interface Operation {
  name: string;
  /** States in which it is done, and the one it leads to where that is another. */
  from: readonly State[];
  to?: State;
  /** What else has to be so. */
  may?(world: World, server: Server): boolean;
  /** The one that makes it possible. */
  after?: string;
  /** Whether the guest has another image afterwards. */
  renews?: boolean;
  /** A walk that asks its guests seldom asks them after this one. */
  tells?: boolean;
  run(world: World, server: Server): Promise<void>;
}

/** A cloud that is walked through, from where its host stands. */
export interface World {
  db: Database;
  random: Random;
  /** State directory of the cloud. */
  dir: string;
  hostName: string;
  /** An address of the host that is none of the guests' network. */
  outside: string;
  tenantId: string;
  key: string;
  groupId: number;
  /** Flavors by name, those that a server is resized to behind it. */
  resizes: ReadonlyMap<string, readonly string[]>;
  /** Those whose disks grow to a gigabyte. */
  large: ReadonlySet<string>;
  images: { disk: string; parts: string };
  /** Asks compute as the user; what is not 2xx is an error. */
  compute<T>(method: string, path: string, body?: unknown): Promise<T>;
  image(method: string, path: string): Promise<Answer>;
  servers: Server[];
  volumes: Volume[];
  /** How many names were given out. */
  named: number;
  /** How often the guests of one reboot are rebooted at most. */
  reboots: number;
  /** Kept snapshots, with the mark of the server each was made of. */
  snapshots: (WalkImage & { mark: string })[];
}

const LOOK_MS = 300;
/** However little of the processor a guest has had. */
const LAST_MS = 4 * PATIENCE_MS;
/** Processor time in which every guest of ours has booted, several times over. */
const BOOTED_SECONDS = 90;

/** Looks until something is there; `starved` says whether what is waited for has had no time of a processor to become so. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  starved: () => Promise<boolean> = async () => false,
): Promise<T> {
  const begun = systemClock.monotonic();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    const waited = systemClock.monotonic() - begun;
    if (waited > PATIENCE_MS && (waited > LAST_MS || !(await starved())))
      throw new Error(`${what}: not within ${Math.round(waited / 1000)} s`);
    await systemClock.sleep(LOOK_MS);
  }
}

/** One request as somebody who is logged in. */
export const asking =
  (base: string, token: string) =>
  async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await ask(`${base}${path}`, token, { method, ...(body === undefined ? {} : { body }) });
    if (answer.status < 200 || answer.status > 299)
      throw new Error(`${method} ${path} ${JSON.stringify(body)}: ${answer.status} ${answer.bytes}`);
    return answer.json as T;
  };

interface Shown {
  server: {
    status: string;
    'OS-EXT-STS:task_state': string | null;
    fault?: { message: string };
    addresses: Record<string, { addr: string; version: number }[]>;
  };
}

export const shown = (world: World, id: string): Promise<Shown> => world.compute('GET', `/servers/${id}`);

/** Waits until a server has become what it was told to become. */
export async function becomes(world: World, server: Server, state: State): Promise<void> {
  await eventually(`${server.name} becomes ${STATUS[state]}`, async () => {
    const { server: seen } = await shown(world, server.id);
    if (seen.status === 'ERROR') throw new Error(`${server.name} is in ERROR: ${seen.fault?.message}`);
    return (seen.status === STATUS[state] && seen['OS-EXT-STS:task_state'] === null) || undefined;
  });
  server.state = state;
}

export const act = (world: World, server: Server, action: Record<string, unknown>): Promise<unknown> =>
  world.compute('POST', `/servers/${server.id}/action`, action);

const here = {
  space: {
    exec: (argv: readonly string[], options = {}) =>
      run(argv, { timeoutMs: 60_000, allowedCodes: 'any' as const, ...options }),
  },
};
/** A program on the host. */
export const onHost = async (...argv: string[]): Promise<string> =>
  (await here.space.exec(argv)).stdout.trim();

export const virsh = (...argv: string[]): Promise<string> =>
  onHost('virsh', '-q', '-c', 'qemu:///system', ...argv);

/** What a command says in the guest, where it runs as root, as soon as the guest answers; `by` is another address of it. */
export const inside = (world: World, server: Server, command: string, by = server.address): Promise<string> =>
  eventually(
    `${server.name} answers ssh`,
    async () => {
      const done = await sshTo(here, world.key, `root@${by}`, command);
      return done.code === 0 ? done.stdout.trim() : undefined;
    },
    async () => (await processorSeconds(await nameOnHost(world, server))) < BOOTED_SECONDS,
  );

/** What a guest's processors have done since it was started; a guest that is not there has had enough. */
async function processorSeconds(domain: string): Promise<number> {
  const time = /cpu\.time=(\d+)/.exec(await virsh('domstats', '--cpu-total', domain))?.[1];
  return time === undefined ? Number.POSITIVE_INFINITY : Number(time) / 1e9;
}

/** Whether anybody answers ssh now who comes from outside of the guests' network: neighbours may always in. */
export const answersSsh = async (world: World, address: string): Promise<boolean> =>
  (await sshTo({ ...here, from: world.outside }, world.key, `root@${address}`, 'true')).code === 0;

export async function nameOnHost(world: World, server: Server): Promise<string> {
  const row = await world.db.knex('instances').where({ uuid: server.id }).first('id');
  return `instance-${Number(must(row, 'it was booted').id).toString(16).padStart(8, '0')}`;
}

/** In a guest: what its disk begins with, up to the end of the line; nothing where nothing was written. */
export const headOf = (device: string | undefined): string =>
  `dd if=/dev/${device} bs=64 count=1 2>/dev/null | head -n 1 | tr -d '\\000'`;

export const volumeFolder = (world: World): string => join(world.dir, 'nova', 'volume-files');

export const volumeFile = (world: World, id: string): string => join(volumeFolder(world), `volume-${id}`);
