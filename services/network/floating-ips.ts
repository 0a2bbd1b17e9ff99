import { type Fault, isFault, type RequestContext } from '@folsom/core';
import { type FixedIpRow, fixedIpByAddress, fixedIpById } from '@folsom/nova/fixed-ips';
import {
  bindFloatingIp,
  type FloatingIpRow,
  floatingIpByAddress,
  floatingIpsOfFixedIp,
  floatingIpsOfHost,
  giveBackFloatingIp,
  takeFloatingIp,
  unbindFloatingIp,
} from '@folsom/nova/floating-ips';
import { instanceIdentity } from '@folsom/nova/instance-identity';
import { networkFault } from '@folsom/nova/network-faults';
import { networkById } from '@folsom/nova/networks';
import type { AddressSeam } from './addresses.ts';
import { forgetNamesOf } from './dns/names.ts';

/** @throws Fault `NotAuthorized` where the address is another tenant's, or nobody's */
function ownedBy(context: RequestContext, floating: FloatingIpRow): void {
  if (!context.isAdmin && floating.project_id !== context.projectId) throw networkFault('NotAuthorized');
}

const deviceOf = (seam: AddressSeam, floating: { interface: string | null }): string | null =>
  seam.floating.publicInterface || floating.interface;

/** `network.floating_ip.EVENT`, for whoever listens to notifications. */
const tell = (
  seam: AddressSeam,
  context: RequestContext,
  event: 'allocate' | 'deallocate' | 'associate' | 'disassociate',
  project_id: string | null,
  floating_ip: string,
): Promise<void> => seam.notify(context, `network.floating_ip.${event}`, { project_id, floating_ip });

export async function allocateFloatingIp(
  seam: AddressSeam,
  context: RequestContext,
  args: { project_id: string; auto_assigned?: boolean; pool?: string | null },
): Promise<string> {
  const autoAssigned = args.auto_assigned ?? false;
  const pool = args.pool || seam.floating.defaultPool;
  const reservation = autoAssigned
    ? undefined
    : await seam.floatingQuota.reserve(context, args.project_id, 1);
  try {
    const request = { projectId: args.project_id, pool, autoAssigned };
    const address = await takeFloatingIp(seam.db, request, seam.world.clock.now());
    await reservation?.commit();
    await tell(seam, context, 'allocate', args.project_id, address);
    return address;
  } catch (error) {
    await reservation?.rollback();
    throw error;
  }
}

export async function deallocateFloatingIp(
  seam: AddressSeam,
  context: RequestContext,
  args: { address: string; affect_auto_assigned?: boolean },
): Promise<void> {
  const floating = await floatingIpByAddress(seam.db, args.address);
  if (!args.affect_auto_assigned && floating.auto_assigned) return;
  ownedBy(context, floating);
  // Before somebody else can have it.
  if (floating.fixed_ip_id === null) await forgetNamesOf(seam, args.address);
  const given = await giveBackFloatingIp(seam.db, floating.id, seam.world.clock.now());
  if (!given) throw networkFault('FloatingIpAssociated', { address: args.address });
  if (!floating.auto_assigned)
    await (await seam.floatingQuota.reserve(context, floating.project_id, -1)).commit();
  await tell(seam, context, 'deallocate', floating.project_id, args.address);
}

/** Lets a floating address lead to a fixed one. Answers the instance it led to before. */
export async function associateFloatingIp(
  seam: AddressSeam,
  context: RequestContext,
  args: { floating_address: string; fixed_address: string; affect_auto_assigned?: boolean },
): Promise<string | null> {
  const floating = await floatingIpByAddress(seam.db, args.floating_address);
  if (!args.affect_auto_assigned && floating.auto_assigned) return null;
  ownedBy(context, floating);
  let before: string | null = null;
  if (floating.fixed_ip_id !== null) {
    before = (await fixedIpById(seam.db, floating.fixed_ip_id)).instance_uuid;
    await disassociateFloatingIp(seam, context, {
      address: args.floating_address,
      affect_auto_assigned: args.affect_auto_assigned ?? false,
    });
  }
  const fixed = await fixedIpByAddress(seam.db, args.fixed_address);
  const { host } = await servedBy(seam, fixed);
  const message = { ...args, interface: deviceOf(seam, floating) };
  if (host === seam.host) await associateHere(seam, context, message);
  else {
    const { floating_address, fixed_address } = args;
    const wire = { floating_address, fixed_address, interface: message.interface };
    await seam.client._associate_floating_ip(context, wire, { host });
  }
  return before;
}

export async function disassociateFloatingIp(
  seam: AddressSeam,
  context: RequestContext,
  args: { address: string; affect_auto_assigned?: boolean },
): Promise<void> {
  const floating = await floatingIpByAddress(seam.db, args.address);
  if (!args.affect_auto_assigned && floating.auto_assigned) {
    throw networkFault('CannotDisassociateAutoAssignedFloatingIP');
  }
  ownedBy(context, floating);
  if (floating.fixed_ip_id === null) throw networkFault('FloatingIpNotAssociated', { address: args.address });
  const { host, up } = await servedBy(seam, await fixedIpById(seam.db, floating.fixed_ip_id));
  const device = deviceOf(seam, floating);
  if (host === seam.host) {
    return disassociateHere(seam, context, { address: args.address, interface: device });
  }
  // That host is gone with its rules: only the database is left to be put right.
  if (!up) return disassociateHere(seam, context, { address: args.address, interface: null });
  await seam.client._disassociate_floating_ip(
    context,
    { address: args.address, interface: device },
    { host },
  );
}

/** The host whose rules translate for a fixed address. */
async function servedBy(seam: AddressSeam, fixed: FixedIpRow): Promise<{ host: string; up: boolean }> {
  const network = fixed.network_id === null ? undefined : await networkById(seam.db, fixed.network_id);
  if (!network?.multi_host) return { host: network?.host ?? seam.host, up: true };
  const instance =
    fixed.instance_uuid === null ? undefined : await instanceIdentity(seam.db, fixed.instance_uuid);
  const host = instance?.host ?? seam.host;
  return { host, up: host === seam.host || (await seam.isUp(host)) };
}

/** On the host that serves the address. Safe to repeat. */
export async function associateHere(
  seam: AddressSeam,
  context: RequestContext,
  args: { floating_address: string; fixed_address: string; interface: string | null },
): Promise<void> {
  const floating = await floatingIpByAddress(seam.db, args.floating_address);
  const fixed = await fixedIpByAddress(seam.db, args.fixed_address);
  const to = { fixedIpId: fixed.id, host: seam.host };
  if (!(await bindFloatingIp(seam.db, floating.id, to, seam.world.clock.now()))) return;
  try {
    await seam.networkHost.addFloating(args.floating_address, args.fixed_address, args.interface);
  } catch (error) {
    await unbindFloatingIp(seam.db, floating.id, fixed.id, seam.world.clock.now());
    const missing = isFault(error, 'ProcessExecutionError') && /find device/.test((error as Fault).message);
    throw missing ? networkFault('NoFloatingIpInterface', { interface: args.interface }) : error;
  }
  await tell(seam, context, 'associate', context.projectId, args.floating_address);
}

export async function disassociateHere(
  seam: AddressSeam,
  context: RequestContext,
  args: { address: string; interface: string | null },
): Promise<void> {
  const floating = await floatingIpByAddress(seam.db, args.address);
  if (floating.fixed_ip_id === null) return;
  const fixed = await fixedIpById(seam.db, floating.fixed_ip_id);
  if (!(await unbindFloatingIp(seam.db, floating.id, fixed.id, seam.world.clock.now()))) return;
  if (args.interface !== null)
    await seam.networkHost.removeFloating(args.address, fixed.address, args.interface);
  await tell(seam, context, 'disassociate', context.projectId, args.address);
}

/** An instance's fixed address goes: what led to it leads nowhere, and what came with it goes back. */
export async function releaseFloatingIpsOf(
  seam: AddressSeam,
  context: RequestContext,
  fixedIpId: number,
): Promise<void> {
  for (const floating of await floatingIpsOfFixedIp(seam.db, fixedIpId)) {
    const args = { address: floating.address, affect_auto_assigned: true };
    await disassociateFloatingIp(seam, context, args).catch(error => {
      if (!isFault(error, 'FloatingIpNotAssociated')) throw error;
    });
    if (floating.auto_assigned) await deallocateFloatingIp(seam, context, args);
  }
}

/** At start, and whenever somebody may have changed the host: the addresses that this host serves. */
export async function setupFloatingIps(seam: AddressSeam): Promise<void> {
  const served = await floatingIpsOfHost(seam.db, seam.host);
  await seam.networkHost.setFloating(
    served.map(row => ({
      floating: row.address,
      fixed: row.fixed_address,
      device: deviceOf(seam, row),
    })),
  );
}
