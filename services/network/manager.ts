import { ConfigError } from '@folsom/config';

/**
 * What nova-network is to its networks. `flat`: addresses alone, bridges and routes are the operator's. `flat-dhcp`: a bridge
 * and a DHCP server for each network. `vlan`: besides, a VLAN for each network, and each network is one tenant's.
 */
export type ManagerKind = 'flat' | 'flat-dhcp' | 'vlan';

const CLASSES: Readonly<Record<string, ManagerKind>> = {
  FlatManager: 'flat',
  FlatDHCPManager: 'flat-dhcp',
  VlanManager: 'vlan',
};

/** The kind that `network_manager` names. @throws ConfigError for any other class */
export function managerKind(path: string): ManagerKind {
  const name = path.replace(/^nova\.network\.manager\./, '');
  const kind = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  if (kind === undefined) {
    throw new ConfigError(
      `network_manager ${path} is not supported: use one of ${Object.keys(CLASSES)
        .map(known => `nova.network.manager.${known}`)
        .join(', ')}`,
    );
  }
  return kind;
}
