import { ensureBridge, ensureVlan, setMtu } from './bridges.ts';
import { withProcessLock } from './process-lock.ts';
import type { Runner } from './runner.ts';

/** Where the bridges of guests' networks are made. */
export interface BridgeHost {
  runner: Runner;
  /** Directory of the locks that daemons of one host share; null: only this process waits. */
  lockPath: string | null;
  /** Largest packet of bridges and VLANs; null for what the system has. */
  mtu: number | null;
  /** Interfaces that rank above the one noted with a network: of plain networks, and of those that are VLANs. */
  flatInterface: string | null;
  vlanInterface: string | null;
}

/** A network as its bridge on one host needs it. */
export interface BridgedNetwork {
  label: string;
  bridge: string;
  vlan: number | null;
  bridgeInterface: string | null;
}

/** The interface that leads out of a network's bridge: for a VLAN its own device, never the bare card that others share. */
async function portOf(host: BridgeHost, network: BridgedNetwork): Promise<string | null> {
  if (!network.vlan) return host.flatInterface || network.bridgeInterface;
  const card = host.vlanInterface || network.bridgeInterface;
  if (!card) throw new Error(`network ${network.label} is a VLAN, and vlan_interface is not set`);
  const { vlan } = network;
  const device = await withProcessLock(host.lockPath, 'ensure_vlan', () =>
    ensureVlan(host.runner, vlan, card),
  );
  if (host.mtu !== null) await setMtu(host.runner, device, host.mtu);
  return device;
}

/**
 * Makes the bridge of a network be there, with the interface that leads to the other hosts in it. Every daemon of a host may do so.
 * @throws for an interface that is not there, is another bridge's, or a VLAN that this kernel cannot make
 */
export async function ensureNetworkBridge(host: BridgeHost, network: BridgedNetwork): Promise<void> {
  const port = await portOf(host, network);
  await withProcessLock(host.lockPath, 'ensure_bridge', () =>
    ensureBridge(host.runner, network.bridge, port),
  );
  if (host.mtu !== null) await setMtu(host.runner, network.bridge, host.mtu);
}
