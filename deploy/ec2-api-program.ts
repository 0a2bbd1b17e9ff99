import { type AuthTokenSettings, authTokenSettings, keystoneClient } from '@folsom/auth';
import { novaPolicy, startEc2Api } from '@folsom/compute-api';
import { type Config, ConfigError } from '@folsom/config';
import type { RunningService } from '@folsom/core';
import { novaOptions } from '@folsom/nova/options';
import { mustAuthenticate, readPaste } from './compute-api-program.ts';
import type { NovaParts } from './nova-daemon.ts';
import { configuredPolicy } from './policy-file.ts';

/** The EC2 API as nova.conf and api-paste.ini describe it. */
export async function startConfiguredEc2Api(parts: NovaParts): Promise<RunningService> {
  const { config, db, bus, world } = parts;
  mustAuthenticate(config);
  const paste = readPaste(config, 'composite:ec2cloud');
  const settings = authTokenSettings(config, paste.auth);
  const client = keystoneClient({ ...settings, adminUrl: signaturesAt(config, settings) }, world);
  try {
    const service = await startEc2Api({
      config,
      database: db,
      bus,
      policy: configuredPolicy(config, config.of(novaOptions), world) ?? novaPolicy(),
      world,
      login: client.ec2Login,
      ...(paste.locksKeys ? {} : { lockout: { attempts: 0, minutes: 0, window: 0 } }),
    });
    return {
      ...service,
      stop: async () => {
        await service.stop();
        await client.close();
      },
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

const PATH = '/v2.0/ec2tokens';

/** Where signatures are checked: at `keystone_ec2_url` where nova.conf has one, else where tokens are. */
function signaturesAt(config: Config, settings: AuthTokenSettings): string {
  if (config.given('DEFAULT', 'keystone_ec2_url').length === 0) return settings.adminUrl;
  const url = config.of(novaOptions).keystone_ec2_url;
  if (!/^https?:\/\//.test(url) || !url.endsWith(PATH)) {
    throw new ConfigError(`keystone_ec2_url: "${url}" is no URL that ends in ${PATH}`);
  }
  return url.slice(0, -PATH.length);
}
