import type { TokenValidator } from '@folsom/auth';
import type { RunningService } from '@folsom/core';
import { imageOptions, startImageApi } from '@folsom/image';
import { configuredPolicy } from '../policy-file.ts';
import type { PartOptions } from './part.ts';

/** glance-api with its registry in process and the file store. */
export function startImagePart(options: PartOptions, validator: TokenValidator): Promise<RunningService> {
  const { world, databases, bus, configs } = options;
  const policy = configuredPolicy(configs.glance, configs.glance.of(imageOptions), world);
  return startImageApi({
    config: configs.glance,
    world,
    db: databases.glance,
    validator,
    bus,
    ...(policy ? { policy } : {}),
  });
}
