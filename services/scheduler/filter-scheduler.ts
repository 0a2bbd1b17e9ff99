import { Fault, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { passing } from '@folsom/nova/passing';
import type { ScheduleRunArgs } from '@folsom/nova/rpc/scheduler';
import type { FilterProperties, RequestSpec } from '@folsom/nova/rpc/wire';
import type { Notifier } from '@folsom/rpc';
import { nextAttempt } from './attempts.ts';
import type { SchedulerDriver } from './driver.ts';
import { noValidHost, tallyText } from './no-valid-host.ts';
import { type ProvisionSeam, provision, provisionResize } from './provision.ts';
import { scheduleRequest } from './request.ts';
import { checkHost, type Selection, type Selector, selectHosts } from './select-hosts.ts';

export interface FilterSchedulerOptions {
  selector: Selector;
  seam: ProvisionSeam;
  notify: Notifier;
  /** scheduler_max_attempts */
  maxAttempts: number;
  /** What scheduler_json_config_location holds. */
  configOptions: () => Promise<Record<string, unknown>>;
}

/** Filters hosts, weighs those that are left, and takes the cheapest. */
export function filterScheduler(options: FilterSchedulerOptions): SchedulerDriver {
  const { selector, seam, notify } = options;
  if (options.maxAttempts < 1) {
    throw novaFault('InvalidInput', { reason: "Invalid value for 'scheduler_max_attempts', must be >= 1" });
  }

  const select = async (
    context: RequestContext,
    spec: RequestSpec,
    given: FilterProperties,
    uuids: readonly string[],
  ): Promise<Selection & { properties: FilterProperties }> => {
    const retry = nextAttempt(given.retry, options.maxAttempts, uuids[0]);
    const { retry: _old, ...rest } = given;
    const properties: FilterProperties = {
      ...rest,
      ...(retry === undefined ? {} : { retry }),
      request_spec: spec,
      instance_type: spec.instance_type,
      config_options: await options.configOptions(),
    };
    const selection = await selectHosts(selector, scheduleRequest(context, spec, properties), uuids.length);
    return { ...selection, properties };
  };

  return {
    async runInstance(context, args, failed) {
      const { request_spec: spec } = args;
      const uuids = spec.instance_uuids;
      await notify(context, 'scheduler.run_instance.start', { request_spec: spec });
      const { chosen, tally, properties } = await select(context, spec, args.filter_properties ?? {}, uuids);
      for (const [at, uuid] of uuids.entries()) {
        const pick = chosen[at];
        try {
          if (pick === undefined) throw noValidHost(tallyText(tally));
          const own = specOf(spec, at);
          const { host } = pick.host;
          await notify(context, 'scheduler.run_instance.scheduled', {
            request_spec: own,
            weighted_host: { weight: pick.weight, host },
            instance_id: uuid,
          });
          // Several instances of one request do not share the hosts they have tried.
          const tried = at === 0 ? (properties.retry?.hosts ?? []) : [];
          await provision(seam, context, args, {
            host,
            uuid,
            spec: own,
            properties: {
              ...properties,
              limits: pick.limits,
              ...(properties.retry === undefined
                ? {}
                : { retry: { ...properties.retry, hosts: [...tried, host] } }),
            },
          });
        } catch (error) {
          // The message comes again; what was placed already is recognised.
          if (passing(error) !== undefined) throw error;
          await failed(uuid, asFault(error, seam));
        }
      }
      await notify(context, 'scheduler.run_instance.end', { request_spec: spec });
    },

    async prepResize(context, args) {
      const { instance, request_spec: spec, filter_properties } = args;
      const { chosen, tally } = await select(context, spec, filter_properties ?? {}, [instance.uuid]);
      const [pick] = chosen;
      if (pick === undefined) throw noValidHost(tallyText(tally));
      await provisionResize(seam, context, args, pick.host.host);
    },

    async checkRebuild(context, { host, request_spec: spec }) {
      const request = scheduleRequest(context, spec, { force_hosts: [] });
      const tally = await checkHost(selector, request, host);
      if (tally !== undefined) throw noValidHost(tallyText(tally));
    },

    async createVolume() {
      throw noValidHost('No host selection for volume defined.');
    },
  };
}

/** The request of the `at`-th of its instances. */
const specOf = (spec: ScheduleRunArgs['request_spec'], at: number): RequestSpec => ({
  ...spec,
  instance_properties: { ...spec.instance_properties, launch_index: at },
});

/** Anything but a fault is a bug: it goes to the log, and the instance's record names only its class. */
export function asFault(error: unknown, { world }: Pick<ProvisionSeam, 'world'>): Fault {
  if (error instanceof Fault) return error;
  world.log.error('scheduling failed', { error });
  const name = error instanceof Error ? error.name : 'Error';
  return new Fault(name, 500, error instanceof Error ? error.message : String(error));
}
