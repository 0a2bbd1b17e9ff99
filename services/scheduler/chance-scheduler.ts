import type { RequestContext, World } from '@folsom/core';
import { must } from '@folsom/core';
import { passing } from '@folsom/nova/passing';
import type { FilterProperties } from '@folsom/nova/rpc/wire';
import { serviceIsUp } from '@folsom/nova/services';
import { nextAttempt } from './attempts.ts';
import type { SchedulerDriver } from './driver.ts';
import { asFault } from './filter-scheduler.ts';
import { countRemoved, newTally, noValidHost, tallyText } from './no-valid-host.ts';
import { type ProvisionSeam, provision, provisionResize } from './provision.ts';
import type { Sources } from './sources.ts';
import { castVolume } from './volume-host.ts';

export interface ChanceSchedulerOptions {
  seam: ProvisionSeam;
  sources: Sources;
  world: World;
  serviceDownTimeMs: number;
  /** scheduler_max_attempts */
  maxAttempts: number;
}

/** Any host that is up, by lot. */
export function chanceScheduler(options: ChanceSchedulerOptions): SchedulerDriver {
  const { seam, sources, world, serviceDownTimeMs, maxAttempts } = options;

  const draw = async (topic: string, properties: FilterProperties): Promise<string> => {
    const services = await sources.services(topic);
    const up = services.filter(service => serviceIsUp(service, world.clock.now(), serviceDownTimeMs));
    const tally = newTally(services.length);
    countRemoved(tally, 'being down', services.length - up.length);
    if (up.length === 0) throw noValidHost(`Is the appropriate service running? ${tallyText(tally)}`);
    const { ignore_hosts: ignored = [], force_hosts: forced = [] } = properties;
    const left = up
      .filter(({ host }) => !ignored.includes(host))
      .filter(({ host }) => forced.length === 0 || forced.includes(host));
    countRemoved(tally, 'ignore_hosts and force_hosts', up.length - left.length);
    if (left.length === 0) throw noValidHost(`Could not find another compute. ${tallyText(tally)}`);
    return must(left[world.random.int(left.length)], 'left has it').host;
  };

  return {
    async runInstance(context, args, failed) {
      const { request_spec: spec } = args;
      const given = args.filter_properties ?? {};
      for (const [at, uuid] of spec.instance_uuids.entries()) {
        try {
          // Another driver's boot may have failed and come here.
          const retry = nextAttempt(given.retry, maxAttempts, uuid, false);
          const host = await draw('compute', given);
          const properties =
            retry === undefined ? given : { ...given, retry: { ...retry, hosts: [...retry.hosts, host] } };
          const own = { ...spec, instance_properties: { ...spec.instance_properties, launch_index: at } };
          await provision(seam, context, args, { host, uuid, spec: own, properties });
        } catch (error) {
          // The message comes again; what was placed already is recognised.
          if (passing(error) !== undefined) throw error;
          await failed(uuid, asFault(error, seam));
        }
      }
    },

    async prepResize(context, args) {
      await provisionResize(seam, context, args, await draw('compute', args.filter_properties ?? {}));
    },

    // Nothing but chance decided where it runs.
    async checkRebuild() {},

    async createVolume(context: RequestContext, job) {
      await castVolume(seam, context, await draw('volume', {}), job);
    },
  };
}
