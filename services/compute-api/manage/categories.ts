import type { Category } from './command.ts';
import { agentCommands } from './commands/agents.ts';
import { configCommands } from './commands/config.ts';
import { databaseCommands } from './commands/database.ts';
import { fixedIpCommands } from './commands/fixed-ips.ts';
import { flavorCommands } from './commands/flavors.ts';
import { floatingIpCommands } from './commands/floating-ips.ts';
import { hostCommands } from './commands/hosts.ts';
import { logCommands } from './commands/logs.ts';
import { networkCommands } from './commands/networks.ts';
import { projectCommands } from './commands/projects.ts';
import { serviceCommands } from './commands/services.ts';
import { shellCommands } from './commands/shell.ts';
import { storageManagerCommands } from './commands/storage-manager.ts';
import { versionCommands } from './commands/version.ts';
import { serverCommands } from './commands/vms.ts';
import { volumeCommands } from './commands/volumes.ts';
import { vpnCommands } from './commands/vpns.ts';

/** Everything nova-manage can do, in the order in which it is listed. */
export const CATEGORIES: readonly Category[] = [
  { name: 'account', actions: projectCommands },
  { name: 'agent', actions: agentCommands },
  { name: 'config', actions: configCommands },
  { name: 'db', actions: databaseCommands },
  { name: 'fixed', actions: fixedIpCommands },
  { name: 'flavor', actions: flavorCommands },
  { name: 'floating', actions: floatingIpCommands },
  { name: 'host', actions: hostCommands },
  { name: 'instance_type', actions: flavorCommands },
  { name: 'logs', actions: logCommands },
  { name: 'network', actions: networkCommands },
  { name: 'project', actions: projectCommands },
  { name: 'service', actions: serviceCommands },
  { name: 'shell', actions: shellCommands },
  { name: 'sm', actions: storageManagerCommands },
  { name: 'version', actions: versionCommands, alone: 'list' },
  { name: 'vm', actions: serverCommands },
  { name: 'volume', actions: volumeCommands },
  { name: 'vpn', actions: vpnCommands },
];
