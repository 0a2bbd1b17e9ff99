import type { RunningService } from '@folsom/core';
import type { App } from '@folsom/http';
import { novaOptions } from '@folsom/nova/options';
import { passing } from '@folsom/nova/passing';
import type { ComputeApiOptions } from './compute-api.ts';
import { type DomainOptions, domainService } from './domain/service.ts';
import { ec2App } from './ec2/http/app.ts';
import type { SignedLogin } from './ec2/http/caller.ts';
import { type LockoutSettings, lockout } from './ec2/http/lockout.ts';

export interface Ec2ApiOptions
  extends Pick<ComputeApiOptions, 'config' | 'database' | 'bus' | 'policy' | 'world' | 'outbox' | 'images'> {
  /** Checks signatures; identity's own when it runs in this process. */
  login: SignedLogin;
  /** How the bytes of images are sent; default: to the image services of `glance_api_servers`. */
  transfer?: DomainOptions['transfer'];
  /** Default: as nova.conf has it. */
  lockout?: LockoutSettings;
}

export interface Ec2Api extends RunningService {
  /** Answers requests without a connection. */
  app: App;
}

/** nova-api's EC2 API on `ec2_listen_port` (8773). */
export async function startEc2Api(options: Ec2ApiOptions): Promise<Ec2Api> {
  const config = options.config.of(novaOptions);
  const { database, bus, world } = options;
  const service = domainService({ ...options, owner: `nova-api-ec2:${config.host}`, registersImages: true });
  const locks = options.lockout ?? {
    attempts: config.lockout_attempts,
    minutes: config.lockout_minutes,
    window: config.lockout_window,
  };
  const app = ec2App(
    { login: options.login, lockout: lockout(locks, world.clock), domain: service.domain, config, world },
    {
      world,
      unavailable: error => passing(error) === 'outage',
      checks: { database: () => database.ping(), bus: () => bus.ready() },
    },
  );
  await service.start();
  const address = await app.listen({ host: config.ec2_listen, port: config.ec2_listen_port });
  return {
    name: 'nova-api-ec2',
    addresses: [address],
    app,
    stop: async () => {
      await app.stop();
      await service.stop();
    },
  };
}
