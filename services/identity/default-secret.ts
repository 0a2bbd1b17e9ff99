import { BlockList, isIP } from 'node:net';
import type { Logger } from '@folsom/core';

/** Values of admin_token that stand in the sample configuration and in the handbooks of the time. */
const PUBLISHED = new Set(['ADMIN', 'ADMIN_TOKEN', 'YOUR_ADMIN_TOKEN', '012345SECRET99TOKEN012345']);

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

const isLoopback = (host: string): boolean => {
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6');
};

/**
 * Throws one sentence when anybody on the network would be an administrator: the admin_token is one that everybody knows and
 * the service would listen on more than loopback. On loopback it warns.
 */
export function refuseDefaultSecret(adminToken: string, host: string, log: Logger): void {
  if (!PUBLISHED.has(adminToken)) return;
  if (!isLoopback(host)) {
    throw new Error(
      `keystone: admin_token is a published default and ${host} can be reached by others: in [DEFAULT] of keystone.conf ` +
        'set admin_token to a random value (openssl rand -hex 16), or to nothing once there is an administrator, ' +
        'or bind_host to 127.0.0.1',
    );
  }
  log.warn('admin_token is a published default: whoever reaches the admin port is an administrator');
}
