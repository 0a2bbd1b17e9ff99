import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isFault, systemClock } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { type Database, openDatabase } from '@folsom/db';
import { run } from '@folsom/host';
import { canMakeNamespaces, type HostNamespace, hostNamespace } from '@folsom/testing';
import { addFlavor, addInstance, until, wire } from '../faults/compute-cloud.ts';
import { guestImage } from '../guest-image.ts';

const MY_IP = '172.31.77.1';

/** How long anything may take: guests run on emulated processors, beside whatever else the machine does. */
export const PATIENCE_MS = 300_000;
/** How long a test may take that waits several times. */
export const TEST_MS = 3 * PATIENCE_MS;

/** Why real guests cannot run here, aloud; undefined where they can. */
export function cannotRun(): string | undefined {
  const missing = ['libvirtd', 'virtlogd', 'qemu-system-x86_64', 'dnsmasq', 'iptables', 'qemu-img'].filter(
    name => !['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some(folder => existsSync(join(folder, name))),
  );
  const why = !canMakeNamespaces() ? 'not root' : missing.length > 0 ? `no ${missing.join(', ')}` : undefined;
  if (!needs(`real guests (${why})`, why === undefined))
    console.warn(`skipped: real guests cannot run here (${why})`);
  return why;
}

/** A compute host in a network namespace with its own libvirtd, whose service can be killed and started again. */
export interface HostUnderTest {
  space: HostNamespace;
  db: Database;
  dir: string;
  start(options?: { extra?: Record<string, string | number | boolean> }): Promise<void>;
  /** Makes the first instance that comes to each of these steps (`operation:step`) stop there; answers who stands where. */
  holdEach(steps: readonly string[]): Promise<{ reached: Promise<Map<string, string>> }>;
  kill(): Promise<void>;
  ask<T>(command: Record<string, unknown>): Promise<T>;
  /** Makes work stop before a step (`operation:step`). */
  holdAt(step: string): Promise<{ reached: Promise<void>; release(): Promise<void> }>;
  rpc<T>(contract: 'compute' | 'network', method: string, args: unknown): Promise<T>;
  /** `instance-0000000a` */
  nameOf(uuid: string): Promise<string>;
  /** Everything of an instance that exists on this host, or that the database keeps for it. */
  traces(uuid: string): Promise<string[]>;
  /** Deletes an instance as the API would and waits until it is gone. */
  delete(uuid: string): Promise<void>;
  virsh(...argv: string[]): Promise<string>;
  boot(
    /** `ami` (of three parts), `disk`, `blank`, or an image that was added. */
    form: string,
    values?: Record<string, unknown>,
    message?: Record<string, unknown>,
    /** What else there is before the host is asked. */
    before?: (uuid: string) => Promise<unknown>,
  ): Promise<string>;
  state(
    uuid: string,
    wanted: (row: Record<string, unknown>) => boolean,
    ms?: number,
  ): Promise<Record<string, unknown>>;
  instance: (uuid: string) => ReturnType<typeof wire>;
  consoleOf(uuid: string): Promise<string>;
  remove(): Promise<void>;
}

/** What makes a host one of several. */
export interface Companion {
  /** Its name and address. */
  host: string;
  rabbit: () => { host: string; port: number } | undefined;
  /** Folder with the database; `instances` and `networks` in it are its own. */
  state?: string;
  /** All hosts have one `instances`. */
  shared?: boolean;
}

export async function hostUnderTest(name: string, companion?: Companion): Promise<HostUnderTest> {
  const address = companion?.host ?? MY_IP;
  const guest = await guestImage();
  const space = await hostNamespace(name, [`${address}/24`]);
  await space.startLibvirtd({ tcp: companion !== undefined }).catch(async error => {
    await space.remove();
    throw error;
  });
  const dir = companion?.state ?? join(space.dir, 'state');
  const own = join(space.dir, 'state');
  const instances = join(companion?.shared ? dir : own, 'instances');
  for (const folder of ['instances', 'networks']) {
    for (const at of [dir, own]) mkdirSync(join(at, folder), { recursive: true });
    // The same path on every host, and on every host another folder.
    if (dir !== own && !(companion?.shared && folder === 'instances'))
      await space.exec(['mount', '--bind', join(own, folder), join(dir, folder)]);
  }
  const node = companion?.host ?? 'node1';
  const uri = `qemu:///system?socket=${join(space.dir, 'run', 'libvirt-sock')}`;
  let child: ChildProcess | undefined;
  let db: Database | undefined;
  let serial = 0;
  const holding = new Map<string, (uuid: string) => void>();
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();

  const start: HostUnderTest['start'] = async (options = {}) => {
    const many = companion === undefined ? {} : { host: node, rabbit: companion.rabbit() };
    const settings = JSON.stringify({ dir, uri, guest, myIp: address, ...many, ...options });
    const program = fileURLToPath(new URL('./compute-host.ts', import.meta.url));
    const argv = [...space.enter, process.execPath, program, settings];
    child = spawn(argv[0]!, argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    const process_ = child;
    await new Promise<void>((resolve, reject) => {
      process_.once('exit', code => {
        for (const one of waiting.values()) one.reject(new Error('the host died'));
        waiting.clear();
        reject(new Error(`the host ended with ${code}: ${tail(join(dir, `${node}.log`))}`));
      });
      createInterface({ input: process_.stdout! }).on('line', line => {
        const message = JSON.parse(line) as Answer;
        if (message.ready) return resolve();
        if (message.held !== undefined) return holding.get(message.held)?.(message.uuid ?? '');
        const one = waiting.get(message.id);
        waiting.delete(message.id);
        if (message.error === undefined) one?.resolve(message.result);
        else one?.reject(new Error(message.error));
      });
    });
    db ??= await openDatabase({ connection: `sqlite:///${join(dir, 'nova.sqlite')}` });
  };
  const died = () =>
    new Promise<void>(resolve => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once('exit', () => resolve());
    });
  const ask = <T>(command: Record<string, unknown>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null)
        return reject(new Error('the host is not running'));
      const id = ++serial;
      waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      child.stdin?.write(`${JSON.stringify({ id, ...command })}\n`);
    });
  const rpc: HostUnderTest['rpc'] = (contract, method, args) => ask({ do: 'rpc', contract, method, args });
  const host: HostUnderTest = {
    space,
    get db() {
      if (db === undefined) throw new Error('not started');
      return db;
    },
    dir,
    start,
    holdEach: async steps => {
      const standing = new Map<string, string>();
      const reached = new Promise<Map<string, string>>(resolve => {
        for (const step of steps)
          holding.set(step, uuid => {
            standing.set(step, uuid);
            if (standing.size === steps.length) resolve(standing);
          });
      });
      await ask({ do: 'holdEach', args: steps });
      return { reached };
    },
    ask,
    rpc,
    holdAt: async step => {
      const reached = new Promise<void>(resolve => holding.set(step, () => resolve()));
      await ask({ do: 'hold', args: step });
      return { reached, release: () => ask({ do: 'release' }) };
    },
    nameOf: async uuid => {
      const { id } = (await host.db.knex('instances').where({ uuid }).first('id'))!;
      return `instance-${Number(id).toString(16).padStart(8, '0')}`;
    },
    traces: async uuid => {
      const guestName = await host.nameOf(uuid);
      const id = Number.parseInt(guestName.slice('instance-'.length), 16);
      const found: string[] = [];
      const listed = (await host.virsh('list', '--all', '--name')).split('\n');
      if (listed.includes(guestName)) found.push('domain');
      const folder = join(instances, guestName);
      if (existsSync(folder)) found.push('files');
      if (existsSync(`${folder}_resize`)) found.push('files aside');
      const rules = (await space.exec(['iptables-save'])).stdout;
      if (rules.includes(`nova-compute-inst-${id} `)) found.push('rules');
      const held = await host.db.knex('fixed_ips').where({ instance_uuid: uuid, allocated: 1 });
      if (held.length > 0) found.push('address');
      const cards = await host.db.knex('virtual_interfaces').where({ instance_uuid: uuid });
      if (cards.length > 0) found.push('card');
      return found;
    },
    delete: async uuid => {
      await host.db.knex('instances').where({ uuid }).update({ task_state: 'deleting' });
      await rpc('compute', 'terminate_instance', { instance: await host.instance(uuid) });
      await host.state(uuid, row => row.deleted === 1);
    },
    kill: async () => {
      const gone = died();
      child?.kill('SIGKILL');
      await gone;
    },
    virsh: async (...argv) => (await space.exec(['virsh', '-q', '-c', uri, ...argv])).stdout.trim(),
    boot: async (form, values = {}, message = {}, before = async () => {}) => {
      const known = await host.db.knex('instance_types').where({ name: 'm1.guest' }).first('id');
      const flavor = known?.id ?? (await addFlavor(host.db, { name: 'm1.guest', memory_mb: 128 }));
      const parts =
        form === 'ami' ? { image_ref: 'ami', kernel_id: 'aki', ramdisk_id: 'ari' } : { image_ref: form };
      const uuid = await addInstance(host.db, flavor, { ...parts, ...values });
      await before(uuid);
      await rpc('compute', 'run_instance', {
        instance: await wire(host.db, uuid),
        request_spec: null,
        filter_properties: {},
        requested_networks: null,
        injected_files: [],
        admin_password: null,
        is_first_time: true,
        ...message,
      });
      return uuid;
    },
    state: (uuid, wanted, ms = PATIENCE_MS) => until(host.db, uuid, wanted, ms),
    instance: uuid => wire(host.db, uuid),
    consoleOf: async uuid =>
      rpc('compute', 'get_console_output', { instance: await wire(host.db, uuid), tail_length: null }),
    remove: async () => {
      child?.kill('SIGKILL');
      await db?.close();
      await space.remove();
    },
  };
  return host;
}

/** A key, and security group 1 that lets ssh in. */
export async function openSsh(host: HostUnderTest): Promise<{ file: string; text: string }> {
  const file = join(host.space.dir, 'key');
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file], { timeoutMs: 60_000 });
  await host.db.knex('security_groups').insert({ id: 1, name: 'default', project_id: 'p', deleted: 0 });
  const rule = { parent_group_id: 1, protocol: 'tcp', from_port: 22, to_port: 22, cidr: '0.0.0.0/0' };
  await host.db.knex('security_group_rules').insert({ ...rule, deleted: 0 });
  return { file, text: readFileSync(`${file}.pub`, 'utf8') };
}

/** Puts instances into the group of {@link openSsh}. */
export async function letSshInto(host: HostUnderTest, uuids: readonly string[]): Promise<void> {
  const members = uuids.map(uuid => ({ security_group_id: 1, instance_uuid: uuid, deleted: 0 }));
  await host.db.knex('security_group_instance_association').insert(members);
  await host.rpc('compute', 'refresh_security_group_rules', { security_group_id: 1 });
}

const SSH_MS = 30_000;

/**
 * Runs a command in a guest from its host, as its user, or as whom the address says (`root@...`). Any exit code is an answer;
 * that none came in time is the code 255, as it is where nobody listens.
 */
export async function sshTo(
  { space, from }: { space: Pick<HostNamespace, 'exec'>; from?: string },
  key: string,
  address: string,
  ...command: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const options = ['BatchMode=yes', 'ConnectTimeout=10', 'StrictHostKeyChecking=no'];
  const argv = ['ssh', '-q', '-i', key, '-o', 'UserKnownHostsFile=/dev/null'];
  for (const option of options) argv.push('-o', option);
  if (from !== undefined) argv.push('-b', from);
  const login = address.includes('@') ? address : `cirros@${address}`;
  try {
    return await space.exec([...argv, login, ...command], { timeoutMs: SSH_MS });
  } catch (error) {
    if (!isFault(error, 'ProcessExecutionError')) throw error;
    return { code: 255, stdout: '', stderr: error.message };
  }
}

interface Answer {
  ready?: boolean;
  held?: string;
  uuid?: string;
  id: number;
  result: never;
  error?: string;
}

const tail = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8').slice(-3000) : '');

/** Repeats a question until the answer is as wanted. */
export async function eventually<T>(
  question: () => Promise<T>,
  wanted: (answer: T) => boolean,
  ms = PATIENCE_MS,
): Promise<T> {
  const end = systemClock.monotonic() + ms;
  for (;;) {
    const answer = await question();
    if (wanted(answer)) return answer;
    if (systemClock.monotonic() > end) throw new Error(`still ${JSON.stringify(answer)?.slice(-2000)}`);
    await systemClock.sleep(200);
  }
}
