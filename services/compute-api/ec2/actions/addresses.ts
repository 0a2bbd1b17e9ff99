import { isIPv4 } from 'node:net';
import { isFault } from '@folsom/core';
import type { LeadingFloatingIp } from '../../domain/floating-ips.ts';
import { knownAddresses } from '../../domain/reservations.ts';
import { action } from '../http/action.ts';
import { apiError, ec2Fault, says } from '../http/faults.ts';
import { id, listOf, required, text } from '../http/shapes.ts';
import { idsOf, instanceNamed } from '../ids.ts';

/** @throws Fault `InvalidParameter` */
function addressIn(given: string): string {
  if (!isIPv4(given)) throw ec2Fault('InvalidParameter', { name: 'PublicIp' });
  return given;
}

const describeAddresses = action({
  name: 'DescribeAddresses',
  about: "The tenant's floating addresses and the instances that they lead to.",
  parameters: { PublicIp: listOf() },
  run: async (call, { PublicIp }) => {
    const { domain, context } = call;
    const floating: LeadingFloatingIp[] = [];
    if (PublicIp === undefined) floating.push(...(await domain.floatingIps.list(context)));
    else
      for (const address of PublicIp)
        floating.push(await domain.floatingIps.getByAddress(context, addressIn(address)));
    const shownId = await idsOf(
      call,
      'instance',
      floating.map(one => one.instance_uuid),
    );
    return {
      addressesSet: floating.map(one => {
        const instance = shownId('i', one.instance_uuid);
        return {
          publicIp: one.address,
          instanceId: context.isAdmin ? `${instance ?? 'None'} (${one.project_id ?? 'None'})` : instance,
        };
      }),
    };
  },
});

const allocateAddress = action({
  name: 'AllocateAddress',
  about: 'Takes a floating address of the default pool.',
  parameters: {},
  faults: { FloatingIpLimitExceeded: says('No more floating IPs available') },
  run: async ({ domain, context }) => ({
    publicIp: (await domain.floatingIps.allocate(context, null)).address,
  }),
});

const releaseAddress = action({
  name: 'ReleaseAddress',
  about: 'Gives a floating address back; one that is not the tenant’s counts as given back.',
  parameters: { PublicIp: required(text()) },
  run: async ({ domain, context }, { PublicIp }) => {
    const address = addressIn(PublicIp);
    try {
      const row = await domain.floatingIps.getByAddress(context, address);
      if (row.project_id !== null) await domain.floatingIps.release(context, row.id);
    } catch (error) {
      if (!isFault(error, 'FloatingIpNotFoundForAddress')) throw error;
    }
    return true;
  },
});

const associateAddress = action({
  name: 'AssociateAddress',
  about: "Lets a floating address lead to an instance's first fixed one.",
  parameters: { PublicIp: required(text()), InstanceId: required(id()) },
  faults: {
    FloatingIpAssociated: says('Floating ip is already associated.'),
    NoFloatingIpInterface: says('l3driver call to add floating ip failed.'),
    FloatingIpNotAssociable: says('Error, unable to associate floating ip.'),
  },
  run: async (call, { PublicIp, InstanceId }) => {
    const address = addressIn(PublicIp);
    const instance = await instanceNamed(call, InstanceId);
    const { fixedIps, fixedIp6s } = knownAddresses(instance.info_cache?.network_info);
    if (fixedIps.length + fixedIp6s.length === 0) {
      throw apiError('Unable to associate IP Address, no fixed_ips.');
    }
    await call.domain.floatingIps.associate(call.context, instance.uuid, address);
    return true;
  },
});

const disassociateAddress = action({
  name: 'DisassociateAddress',
  about: 'Takes a floating address away from the instance that it leads to.',
  parameters: { PublicIp: required(text()) },
  faults: {
    FloatingIpNotAssociated: says('Floating ip is not associated.'),
    CannotDisassociateAutoAssignedFloatingIP: says('Cannot disassociate auto assigned floating ip'),
  },
  run: async ({ domain, context }, { PublicIp }) => {
    await domain.floatingIps.disassociateAddress(context, addressIn(PublicIp));
    return true;
  },
});

export const addressActions = [
  describeAddresses,
  allocateAddress,
  releaseAddress,
  associateAddress,
  disassociateAddress,
];
