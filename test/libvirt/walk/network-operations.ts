import { must } from '@folsom/core';
import {
  act,
  answersSsh,
  eventually,
  inside,
  type Operation,
  type Server,
  shown,
  type World,
} from './world.ts';

const addressesOf = async (world: World, server: Server): Promise<string[]> =>
  Object.values((await shown(world, server.id)).server.addresses)
    .flat()
    .map(({ addr }) => addr);

/** A second fixed address comes and goes; the guest keeps the first. */
const fixed: Operation = {
  name: 'fixed address',
  from: ['active'],
  async run(world, server) {
    const network = await world.db.knex('networks').where({ deleted: 0 }).first('uuid');
    await act(world, server, { addFixedIp: { networkId: must(network, 'the cloud has a network').uuid } });
    const second = await eventually(`${server.name} has a second address`, async () =>
      (await addressesOf(world, server)).find(address => address !== server.address),
    );
    await act(world, server, { removeFixedIp: { address: second } });
    await eventually(
      `${server.name} has one address`,
      async () => (await addressesOf(world, server)).join() === server.address || undefined,
    );
  },
};

/** A floating address leads to the guest for as long as it is associated. */
const floating: Operation = {
  name: 'floating address',
  from: ['active'],
  async run(world, server) {
    const { floating_ip: got } = await world.compute<{ floating_ip: { id: string; ip: string } }>(
      'POST',
      '/os-floating-ips',
      {},
    );
    await act(world, server, { addFloatingIp: { address: got.ip } });
    const name = await inside(world, server, 'hostname', got.ip);
    if (name !== server.name) throw new Error(`${got.ip} of ${server.name} leads to ${name}`);
    await act(world, server, { removeFloatingIp: { address: got.ip } });
    await eventually(`${got.ip} leads nowhere`, async () => !(await answersSsh(world, got.ip)) || undefined);
    await world.compute('DELETE', `/os-floating-ips/${got.id}`);
  },
};

export const addresses: readonly Operation[] = [fixed, floating];

const isOpen = (world: World, server: Server): Promise<unknown> =>
  eventually(`${server.name} is open`, async () => (await answersSsh(world, server.address)) || undefined);

/** A guest that leaves its group is shut at once, and open again at once. */
const group: Operation = {
  name: 'group',
  from: ['active'],
  async run(world, server) {
    await act(world, server, { removeSecurityGroup: { name: 'walk' } });
    await eventually(
      `${server.name} is shut`,
      async () => !(await answersSsh(world, server.address)) || undefined,
    );
    await act(world, server, { addSecurityGroup: { name: 'walk' } });
    await isOpen(world, server);
  },
};

/** A rule of a running guest's group goes, and comes. */
const rule: Operation = {
  name: 'rule',
  from: ['active'],
  async run(world, server) {
    type Group = { security_group: { rules: { id: number; to_port: number }[] } };
    const { security_group: before } = await world.compute<Group>(
      'GET',
      `/os-security-groups/${world.groupId}`,
    );
    const old = must(
      before.rules.find(({ to_port }) => to_port === 22),
      'ssh is open',
    );
    await world.compute('DELETE', `/os-security-group-rules/${old.id}`);
    await eventually(
      `${server.name} is shut`,
      async () => !(await answersSsh(world, server.address)) || undefined,
    );
    await openSsh(world);
    await isOpen(world, server);
  },
};

/** ssh from everywhere into the walk's group. */
export const openSsh = (world: Pick<World, 'compute' | 'groupId'>): Promise<unknown> =>
  world.compute('POST', '/os-security-group-rules', {
    security_group_rule: {
      parent_group_id: world.groupId,
      ip_protocol: 'tcp',
      from_port: 22,
      to_port: 22,
      cidr: '0.0.0.0/0',
    },
  });

export const groups: readonly Operation[] = [group, rule];
