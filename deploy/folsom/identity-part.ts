import { type RunningIdentity, startIdentity } from '@folsom/identity';
import type { PartOptions } from './part.ts';

/** keystone with signed tokens, as `folsom up` runs it. */
export function startIdentityPart(options: PartOptions): Promise<RunningIdentity> {
  const { world, databases, bus, configs } = options;
  return startIdentity({
    config: configs.keystone,
    db: databases.keystone,
    bus,
    world,
    host: 'localhost',
  });
}
