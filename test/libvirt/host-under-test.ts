import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { silentLogger, systemClock } from '@folsom/core';
import { type Database, openDatabase } from '@folsom/db';
import { buildGuestImage } from '@folsom/deploy/guest-image/build';
import { canMakeNamespaces, type HostNamespace, hostNamespace } from '@folsom/testing';
import { addFlavor, addInstance, until, wire } from '../faults/compute-cloud.ts';

export const MY_IP = '172.31.77.1';

/** Why real guests cannot run here, aloud; undefined where they can. */
export function cannotRun(): string | undefined {
  const missing = ['libvirtd', 'virtlogd', 'qemu-system-x86_64', 'dnsmasq', 'iptables', 'qemu-img'].filter(
    name => !['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some(folder => existsSync(join(folder, name))),
  );
  const why = !canMakeNamespaces() ? 'not root' : missing.length > 0 ? `no ${missing.join(', ')}` : undefined;
  if (why !== undefined) console.warn(`skipped: real guests cannot run here (${why})`);
  return why;
}

/** A compute host in a network namespace with its own libvirtd, whose service can be killed and started again. */
export interface HostUnderTest {
  space: HostNamespace;
  db: Database;
  dir: string;
  start(options?: { dieAt?: string; extra?: Record<string, string | number | boolean> }): Promise<void>;
  /** Resolves when the service has died. */
  died(): Promise<void>;
  kill(): Promise<void>;
  ask<T>(command: Record<string, unknown>): Promise<T>;
  rpc<T>(contract: 'compute' | 'network', method: string, args: unknown): Promise<T>;
  virsh(...argv: string[]): Promise<string>;
  boot(
    form: 'ami' | 'disk',
    values?: Record<string, unknown>,
    message?: Record<string, unknown>,
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

export async function hostUnderTest(name: string): Promise<HostUnderTest> {
  const guest = process.env.FOLSOM_GUEST_IMAGE ?? '/var/cache/folsom/guest-image';
  mkdirSync(guest, { recursive: true });
  await buildGuestImage({ directory: guest, log: silentLogger });
  const space = await hostNamespace(name, [`${MY_IP}/24`]);
  await space.startLibvirtd();
  const dir = join(space.dir, 'state');
  mkdirSync(dir);
  const uri = `qemu:///system?socket=${join(space.dir, 'run', 'libvirt-sock')}`;
  let child: ChildProcess | undefined;
  let db: Database | undefined;
  let serial = 0;
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();

  const start: HostUnderTest['start'] = async (options = {}) => {
    const settings = JSON.stringify({ dir, uri, guest, myIp: MY_IP, ...options });
    const program = fileURLToPath(new URL('./compute-host.ts', import.meta.url));
    const argv = [...space.enter, process.execPath, program, settings];
    child = spawn(argv[0]!, argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    const process_ = child;
    await new Promise<void>((resolve, reject) => {
      process_.once('exit', code => {
        for (const one of waiting.values()) one.reject(new Error('the host died'));
        waiting.clear();
        reject(new Error(`the host ended with ${code}: ${tail(join(dir, 'host.log'))}`));
      });
      createInterface({ input: process_.stdout! }).on('line', line => {
        const message = JSON.parse(line) as { ready?: boolean; id: number; result: never; error?: string };
        if (message.ready) return resolve();
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
      const id = ++serial;
      waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      child?.stdin?.write(`${JSON.stringify({ id, ...command })}\n`);
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
    died,
    ask,
    rpc,
    kill: async () => {
      const gone = died();
      child?.kill('SIGKILL');
      await gone;
    },
    virsh: async (...argv) => (await space.exec(['virsh', '-q', '-c', uri, ...argv])).stdout.trim(),
    boot: async (form, values = {}, message = {}) => {
      const known = await host.db.knex('instance_types').where({ name: 'm1.guest' }).first('id');
      const flavor = known?.id ?? (await addFlavor(host.db, { name: 'm1.guest', memory_mb: 128 }));
      const parts =
        form === 'ami' ? { image_ref: 'ami', kernel_id: 'aki', ramdisk_id: 'ari' } : { image_ref: 'disk' };
      const uuid = await addInstance(host.db, flavor, { ...parts, ...values });
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
    state: (uuid, wanted, ms = 120_000) => until(host.db, uuid, wanted, ms),
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

const tail = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8').slice(-3000) : '');

/** Repeats a question until the answer is as wanted. */
export async function eventually<T>(
  question: () => Promise<T>,
  wanted: (answer: T) => boolean,
  ms = 60_000,
): Promise<T> {
  const end = systemClock.monotonic() + ms;
  for (;;) {
    const answer = await question();
    if (wanted(answer)) return answer;
    if (systemClock.monotonic() > end) throw new Error(`still ${JSON.stringify(answer)?.slice(-2000)}`);
    await systemClock.sleep(200);
  }
}
