import { configFrom } from '@folsom/config';
import { identityOptions, type RunningIdentity, startIdentity } from '@folsom/identity';
import type { PartOptions } from './part.ts';

/** keystone with signed tokens, as `folsom up` runs it. */
export function startIdentityPart(options: PartOptions): Promise<RunningIdentity> {
  const { layout, ports, hostIp, secrets, world, databases, bus, metrics } = options;
  const config = configFrom(identityOptions, {
    DEFAULT: {
      admin_token: secrets.adminToken,
      bind_host: hostIp,
      public_port: ports.identityPublic,
      admin_port: ports.identityAdmin,
      compute_port: ports.compute,
    },
    signing: { token_format: 'JWT', jwt_key_dir: `${layout.keystone}/token-keys` },
  });
  return startIdentity({ config, db: databases.keystone, bus, world, host: 'localhost', metrics });
}
