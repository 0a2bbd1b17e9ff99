import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { hostOf } from './actions.ts';
import type { Deps } from './deps.ts';
import { targetOf, wireOf } from './instances.ts';
import { authorize } from './policy.ts';

/** @throws Fault `InstanceNotReady` */
export async function vncConsole(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  type: string,
): Promise<string> {
  authorize(deps, context, 'compute:get_vnc_console', targetOf(instance));
  if (instance.host === null) throw novaFault('InstanceNotReady', { instance_id: instance.uuid });
  const info = await deps.compute.get_vnc_console(
    context,
    { instance: wireOf(deps, instance), console_type: type },
    hostOf(instance),
  );
  await deps.bus.call(context, deps.config.consoleauth_topic, {
    method: 'authorize_console',
    version: '1.0',
    args: {
      token: info.token,
      console_type: type,
      host: info.host,
      port: info.port,
      internal_access_path: info.internal_access_path,
      instance_uuid: instance.uuid,
    },
  });
  return info.access_url;
}

/** @throws Fault `InstanceNotReady` */
export async function consoleOutput(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  lines: number | null,
): Promise<string> {
  authorize(deps, context, 'compute:get_console_output', targetOf(instance));
  if (instance.host === null) throw novaFault('InstanceNotReady', { instance_id: instance.uuid });
  return deps.compute.get_console_output(
    context,
    { instance: wireOf(deps, instance), tail_length: lines },
    hostOf(instance),
  );
}

export async function diagnostics(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
): Promise<unknown> {
  authorize(deps, context, 'compute:get_diagnostics', targetOf(instance));
  return deps.compute.get_diagnostics(context, { instance: wireOf(deps, instance) }, hostOf(instance));
}
