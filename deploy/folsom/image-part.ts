import type { TokenValidator } from '@folsom/auth';
import { configFrom } from '@folsom/config';
import type { RunningService } from '@folsom/core';
import { imageDeclarations, startImageApi } from '@folsom/image';
import type { PartOptions } from './part.ts';

/** glance-api with its registry in process and the file store. */
export function startImagePart(options: PartOptions, validator: TokenValidator): Promise<RunningService> {
  const { layout, ports, hostIp, world, databases, bus, metrics } = options;
  const config = configFrom(imageDeclarations, {
    DEFAULT: {
      registry_client_protocol: 'local',
      filesystem_store_datadir: `${layout.images}/images`,
      // Today's `openstack image create` and `image set` speak no other version.
      complete_v2_api: true,
      scrubber_datadir: `${layout.images}/scrubber`,
    },
  });
  return startImageApi({
    config,
    world,
    db: databases.glance,
    validator,
    bus,
    metrics,
    listen: { host: hostIp, port: ports.image },
  });
}
