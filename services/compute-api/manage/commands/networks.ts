import { must } from '@folsom/core';
import type { NewNetworks } from '../../domain/operator/networks.ts';
import type { Command } from '../command.ts';
import { left } from '../python-text.ts';

const LIST_WIDTHS = [5, 18, 15, 15, 15, 15, 15, 15, 15];

export const networkCommands: Record<string, Command> = {
  create: {
    doc: 'Creates fixed ips for host by range',
    flags: [
      { name: '--label', metavar: '<label>', help: 'Label for network (ex: public)' },
      {
        name: '--fixed_range_v4',
        dest: 'cidr',
        metavar: '<x.x.x.x/yy>',
        help: 'IPv4 subnet (ex: 10.0.0.0/8)',
      },
      { name: '--num_networks', metavar: '<number>', help: 'Number of networks to create' },
      { name: '--network_size', metavar: '<number>', help: 'Number of IPs per network' },
      { name: '--vlan', dest: 'vlan_start', metavar: '<vlan id>', help: 'vlan id' },
      { name: '--vpn', dest: 'vpn_start', help: 'vpn start' },
      { name: '--fixed_range_v6', dest: 'cidr_v6', help: 'IPv6 subnet (ex: fe80::/64' },
      { name: '--gateway', help: 'gateway' },
      { name: '--gateway_v6', help: 'ipv6 gateway' },
      { name: '--bridge', metavar: '<bridge>', help: 'VIFs on this network are connected to this bridge' },
      {
        name: '--bridge_interface',
        metavar: '<bridge interface>',
        help: 'the bridge is connected to this interface',
      },
      { name: '--multi_host', metavar: "<'T'|'F'>", help: 'Multi host' },
      { name: '--dns1', metavar: '<DNS Address>', help: 'First DNS' },
      { name: '--dns2', metavar: '<DNS Address>', help: 'Second DNS' },
      { name: '--uuid', metavar: '<network uuid>', help: 'Network UUID' },
      { name: '--fixed_cidr', metavar: '<x.x.x.x/yy>', help: 'IPv4 subnet for fixed IPS (ex: 10.20.0.0/16)' },
      { name: '--project_id', metavar: '<project id>', help: 'Project id' },
      { name: '--priority', metavar: '<number>', help: 'Network interface priority' },
    ],
    parameters: [
      'label',
      'cidr',
      'num_networks',
      'network_size',
      'multi_host',
      'vlan_start',
      'vpn_start',
      'cidr_v6',
      'gateway',
      'gateway_v6',
      'bridge',
      'bridge_interface',
      'dns1',
      'dns2',
      'project_id',
      'priority',
      'uuid',
      'fixed_cidr',
    ],
    required: 0,
    run: async (context, args) => {
      const { multi_host, ...rest } = args;
      const request = {
        ...rest,
        ...(multi_host === undefined ? {} : { multi_host: multi_host === 'T' }),
      } as NewNetworks;
      const { networks } = await context.operator();
      await networks.create(request);
    },
  },
  list: {
    doc: 'List all created networks',
    flags: [],
    parameters: [],
    required: 0,
    run: async context => {
      const line = (cells: readonly unknown[]) =>
        context.print(LIST_WIDTHS.map((width, at) => left(cells[at], width)).join('\t'));
      line(['id', 'IPv4', 'IPv6', 'start address', 'DNS1', 'DNS2', 'VlanID', 'project', 'uuid']);
      const { networks } = await context.operator();
      const found = await networks.list();
      if (found.length === 0) context.print('No networks found');
      for (const network of found) {
        const { id, cidr, cidr_v6, dhcp_start, dns1, dns2, vlan, project_id, uuid } = network;
        line([id, cidr, cidr_v6, dhcp_start, dns1, dns2, vlan, project_id, uuid]);
      }
    },
  },
  delete: {
    doc: 'Deletes a network',
    flags: [
      { name: '--fixed_range', metavar: '<x.x.x.x/yy>', help: 'Network to delete' },
      { name: '--uuid', metavar: '<uuid>', help: 'UUID of network to delete' },
    ],
    parameters: ['fixed_range', 'uuid'],
    required: 0,
    run: async (context, { fixed_range, uuid }) => {
      if (fixed_range === undefined && uuid === undefined) {
        throw new Error('Please specify either fixed_range or uuid');
      }
      const { networks } = await context.operator();
      await networks.remove(uuid ? { uuid } : { cidr: must(fixed_range, 'fixed_range is there') });
    },
  },
  modify: {
    doc: 'Gives a network to a project or host, or takes it away.',
    flags: [
      { name: '--fixed_range', metavar: '<x.x.x.x/yy>', help: 'Network to modify' },
      { name: '--project', metavar: '<project name>', help: 'Project name to associate' },
      { name: '--host', metavar: '<host>', help: 'Host to associate' },
      {
        name: '--disassociate-project',
        dest: 'dis_project',
        isSwitch: true,
        help: 'Disassociate Network from Project',
      },
      {
        name: '--disassociate-host',
        dest: 'dis_host',
        isSwitch: true,
        help: 'Disassociate Host from Project',
      },
    ],
    parameters: ['fixed_range', 'project', 'host', 'dis_project', 'dis_host'],
    required: 1,
    run: async (context, { fixed_range, project, host, dis_project, dis_host }) => {
      const changes: { project_id?: string | null; host?: string | null } = {};
      if (project) changes.project_id = project;
      else if (dis_project) changes.project_id = null;
      if (host) changes.host = host;
      else if (dis_host) changes.host = null;
      const { networks } = await context.operator();
      await networks.associate(must(fixed_range, 'fixed_range is there'), changes);
    },
  },
};
