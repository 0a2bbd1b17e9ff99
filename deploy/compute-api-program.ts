import { hostname } from 'node:os';
import { authTokenSettings, identityValidator } from '@folsom/auth';
import {
  novaPolicy,
  parseRateLimits,
  type RateLimit,
  startComputeApi,
  startVolumeApi,
} from '@folsom/compute-api';
import { type Config, ConfigError, findConfigFile, pasteSection, readIni } from '@folsom/config';
import type { RunningService } from '@folsom/core';
import { novaOptions } from '@folsom/nova/options';
import type { NovaParts } from './nova-daemon.ts';
import { configuredPolicy } from './policy-file.ts';

interface Paste {
  /** `[filter:authtoken]` */
  auth: Readonly<Record<string, string>>;
  /** `[filter:ratelimit] limits`; undefined for Folsom's table, empty where the pipeline has no limiter. */
  rateLimits: RateLimit[] | undefined;
  /** Whether access keys are locked after failed signatures: always, unless an EC2 pipeline is written down without it. */
  locksKeys: boolean;
}

/** What api-paste.ini says that is no part of nova.conf. */
export function readPaste(config: Config, pipelines: string): Paste {
  const path = findConfigFile(config, config.of(novaOptions).api_paste_config);
  if (path === undefined) return { auth: {}, rateLimits: undefined, locksKeys: true };
  const ini = readIni(path);
  const text = pasteSection(ini, 'filter:ratelimit')?.settings.limits;
  const pipeline = pasteSection(ini, pipelines)?.settings.keystone;
  const limited = pipeline === undefined || pipeline.split(/\s+/).includes('ratelimit');
  const ec2 = pasteSection(ini, 'composite:ec2cloud')?.settings.keystone;
  return {
    locksKeys: ec2 === undefined || ec2.split(/\s+/).includes('ec2lockout'),
    auth: pasteSection(ini, 'filter:authtoken')?.settings ?? {},
    rateLimits: !limited ? [] : text === undefined ? undefined : parseRateLimits(text),
  };
}

/** @throws ConfigError for an API that would ask nobody who he is */
export function mustAuthenticate(config: Config): void {
  if (config.of(novaOptions).auth_strategy === 'keystone') return;
  throw new ConfigError(
    'auth_strategy: "noauth" would let everybody in as administrator; set auth_strategy=keystone',
  );
}

/** The OpenStack compute API as nova.conf and api-paste.ini describe it. */
export const startConfiguredComputeApi = (parts: NovaParts): Promise<RunningService> =>
  startConfigured(parts, startComputeApi, 'composite:openstack_compute_api_v2');

/** The volume API, the same way. */
export const startConfiguredVolumeApi = (parts: NovaParts): Promise<RunningService> =>
  startConfigured(parts, startVolumeApi, 'composite:openstack_volume_api_v1');

async function startConfigured(
  parts: NovaParts,
  start: typeof startComputeApi,
  pipelines: string,
): Promise<RunningService> {
  const { config, db, bus, world } = parts;
  mustAuthenticate(config);
  const paste = readPaste(config, pipelines);
  const settings = authTokenSettings(config, paste.auth);
  const validator = await identityValidator({ settings, world, bus, host: hostname() });
  try {
    const service = await start({
      config,
      database: db,
      bus,
      validator,
      policy: configuredPolicy(config, config.of(novaOptions), world) ?? novaPolicy(),
      world,
      authUri: settings.authUri,
      ...(paste.rateLimits === undefined ? {} : { rateLimits: paste.rateLimits }),
    });
    return {
      ...service,
      stop: async () => {
        await service.stop();
        await validator.stop();
      },
    };
  } catch (error) {
    await validator.stop();
    throw error;
  }
}
