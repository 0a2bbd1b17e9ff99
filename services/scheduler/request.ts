import type { RequestContext } from '@folsom/core';
import type { FilterProperties, FlavorWire, RequestSpec } from '@folsom/nova/rpc/wire';

/** What filters may go by. */
export interface ScheduleRequest {
  context: RequestContext;
  spec: RequestSpec;
  flavor: FlavorWire;
  /** The user's scheduler hints; of any shape. */
  hints: Readonly<Record<string, unknown>>;
  /** Hosts tried before, when the boot may be tried again elsewhere. */
  triedHosts: readonly string[];
  forceHosts: readonly string[];
  ignoreHosts: readonly string[];
}

export function scheduleRequest(
  context: RequestContext,
  spec: RequestSpec,
  properties: FilterProperties,
): ScheduleRequest {
  return {
    context,
    spec,
    flavor: spec.instance_type,
    hints: isObject(properties.scheduler_hints) ? properties.scheduler_hints : {},
    triedHosts: properties.retry?.hosts ?? [],
    forceHosts: properties.force_hosts ?? [],
    ignoreHosts: properties.ignore_hosts ?? [],
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
