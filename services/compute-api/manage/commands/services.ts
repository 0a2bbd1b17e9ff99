import { must, sqlSeconds } from '@folsom/core';
import type { Command, ManageContext } from '../command.ts';
import { left, right } from '../python-text.ts';

const FLAGS = [
  { name: '--host', metavar: '<host>', help: 'Host' },
  { name: '--service', metavar: '<service>', help: 'Nova service' },
];

async function switchService(context: ManageContext, host: string, binary: string, disabled: boolean) {
  const { services } = await context.operator();
  await services.setDisabled(host, binary, disabled);
}

export const serviceCommands: Record<string, Command> = {
  list: {
    doc: 'Show all services, or those of a host or program.',
    flags: FLAGS,
    parameters: ['host', 'service'],
    required: 0,
    run: async (context, { host, service }) => {
      const { services } = await context.operator();
      const found = await services.list({ host, binary: service });
      const line = (cells: readonly unknown[]) =>
        context.print([16, 36, 16, 10, 5, 10].map((width, at) => left(cells[at], width)).join(' '));
      line(['Binary', 'Host', 'Zone', 'Status', 'State', 'Updated_At']);
      for (const item of found) {
        line([
          item.binary,
          item.host,
          item.availability_zone,
          item.disabled ? 'disabled' : 'enabled',
          item.up ? ':-)' : 'XXX',
          item.updated_at === null ? null : sqlSeconds(item.updated_at),
        ]);
      }
    },
  },
  enable: {
    doc: 'Let the scheduler use a service.',
    flags: FLAGS,
    parameters: ['host', 'service'],
    required: 2,
    run: (context, { host, service }) =>
      switchService(context, must(host, 'host is there'), must(service, 'service is there'), false),
  },
  disable: {
    doc: 'Keep the scheduler from using a service.',
    flags: FLAGS,
    parameters: ['host', 'service'],
    required: 2,
    run: (context, { host, service }) =>
      switchService(context, must(host, 'host is there'), must(service, 'service is there'), true),
  },
  describe_resource: {
    doc: 'Show what a compute host has and what its servers take.',
    flags: FLAGS.slice(0, 1),
    parameters: ['host'],
    required: 1,
    run: (context, { host }) => describeResource(context, must(host, 'host is there')),
  },
};

async function describeResource(context: ManageContext, host: string): Promise<void> {
  const { services } = await context.operator();
  const { node, promised, byProject } = await services.useOfHost(host);
  const row = (name: string, kind: string, width: number, cells: readonly unknown[]) =>
    context.print(
      `${name}${kind}${right(cells[0], width)}${cells
        .slice(1)
        .map(cell => right(cell, 8))
        .join('')}`,
    );
  row(left('HOST', 25), '', 16, ['PROJECT', 'cpu', 'mem(mb)', 'hdd']);
  row(left(host, 16), '(total)', 26, [node.vcpus, node.memory_mb, node.local_gb]);
  row(left(host, 16), '(used_now)', 23, [node.vcpus_used, node.memory_mb_used, node.local_gb_used]);
  row(left(host, 16), '(used_max)', 23, [promised.vcpus, promised.memory, promised.disk]);
  for (const [project, of] of byProject) row(left(host, 25), '', 16, [project, of.vcpus, of.memory, of.disk]);
}
