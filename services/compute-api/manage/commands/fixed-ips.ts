import { isFault, must } from '@folsom/core';
import type { ListedFixedIp } from '@folsom/nova/fixed-ip-listing';
import { type Command, Exit, type ManageContext } from '../command.ts';
import { left, shown } from '../python-text.ts';

const ADDRESS = { name: '--address', metavar: '<ip address>', help: 'IP address' };

async function reserve(context: ManageContext, address: string, reserved: boolean): Promise<void> {
  const { fixedIps } = await context.operator();
  try {
    await fixedIps.setReserved(address, reserved);
  } catch (error) {
    if (!isFault(error, 'FixedIpNotFoundForAddress')) throw error;
    context.print(`error: ${error.message}`);
    throw new Exit(2);
  }
}

export const fixedIpCommands: Record<string, Command> = {
  list: {
    doc: 'Lists all fixed ips (optionally by host)',
    flags: [{ name: '--host', metavar: '<host>', help: 'Host' }],
    parameters: ['host'],
    required: 0,
    run: async (context, { host }) => {
      const { fixedIps } = await context.operator();
      context.print(`${left('network', 18)}\t${left('IP address', 15)}\t${left('hostname', 15)}\thost`);
      let any = false;
      for await (const page of fixedIps.pages(host)) {
        for (const item of page) printAddress(context, item);
        any ||= page.length > 0;
      }
      if (!any) context.print('No fixed IP found.');
    },
  },
  reserve: {
    doc: 'Mark fixed ip as reserved\n        arguments: address',
    flags: [ADDRESS],
    parameters: ['address'],
    required: 1,
    run: (context, { address }) => reserve(context, must(address, 'address is there'), true),
  },
  unreserve: {
    doc: 'Mark fixed ip as free to use\n        arguments: address',
    flags: [ADDRESS],
    parameters: ['address'],
    required: 1,
    run: (context, { address }) => reserve(context, must(address, 'address is there'), false),
  },
};

function printAddress(context: ManageContext, item: ListedFixedIp): void {
  if (item.instance_uuid !== null && !item.instanceExists) {
    context.print(`WARNING: fixed ip ${item.address} allocated to missing instance`);
  }
  context.print(
    `${left(item.cidr, 18)}\t${left(item.address, 15)}\t${left(item.hostname, 15)}\t${shown(item.host)}`,
  );
}
