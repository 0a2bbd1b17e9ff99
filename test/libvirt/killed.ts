import { operations } from '@folsom/compute-agent/testing';
import { expect } from 'vitest';
import { eventually, type HostUnderTest, hostUnderTest } from './host-under-test.ts';

/** The names of an operation's steps, as the hosts report them. */
export const stepsOf = (name: string): string[] =>
  (operations.find(op => op.name === name)?.steps ?? []).map(step => `${name}:${step.name}`);

export const active = (row: Record<string, unknown>) => row.vm_state === 'active' && row.task_state === null;
const settled = (row: Record<string, unknown>) => row.task_state === null && row.vm_state !== 'building';

export async function hostWithNetwork(name: string): Promise<HostUnderTest> {
  const host = await hostUnderTest(`${name}${process.pid % 10000}`);
  await host.start();
  await host.rpc('network', 'create_networks', { label: 'private', cidr: '10.77.0.0/24', bridge: 'br100' });
  return host;
}

/** Everything of a guest that is there. */
export const WHOLE = ['domain', 'files', 'rules', 'address', 'card'];

/** Gives each step an instance that is killed there with the service, and starts that again. */
export async function killedAt(
  host: HostUnderTest,
  steps: readonly string[],
  begin: () => Promise<unknown>,
): Promise<Map<string, string>> {
  const { reached } = await host.holdEach(steps);
  await begin();
  const standing = await reached;
  await host.kill();
  await host.start();
  return standing;
}

/** Instances that run, as many as wanted. */
export async function running(host: HostUnderTest, count: number): Promise<string[]> {
  const uuids: string[] = [];
  for (let n = 0; n < count; n++) uuids.push(await host.boot('blank'));
  for (const uuid of uuids) await host.state(uuid, active);
  return uuids;
}

/** Asks for an operation of an instance, as the API does. */
export async function ask(
  host: HostUnderTest,
  uuid: string,
  task_state: string,
  method: string,
  more: Record<string, unknown> = {},
): Promise<void> {
  await host.db.knex('instances').where({ uuid }).update({ task_state });
  await host.rpc('compute', method, { instance: await host.instance(uuid), ...more });
}

export const ended = (host: HostUnderTest, uuid: string) =>
  eventually(async () => (await host.db.knex('instances').where({ uuid }).first())!, settled);

/** Removes instances, all at once; nothing of them is left. */
export async function removeAll(host: HostUnderTest, uuids: Iterable<string>): Promise<void> {
  await Promise.all(
    [...uuids].map(async uuid => {
      await host.db.knex('instances').where({ uuid }).update({ host: 'node1' });
      await host.delete(uuid);
      expect(await host.traces(uuid)).toEqual([]);
    }),
  );
}
