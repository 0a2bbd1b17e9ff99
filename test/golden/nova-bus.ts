import type { World } from '@folsom/core';
import { novaFaultStatus } from '@folsom/nova/faults';
import type { ScheduleRunArgs } from '@folsom/nova/rpc/scheduler';
import { type Bus, createLocalBus, type LocalBus, type Message } from '@folsom/rpc';

export type SeenMessage = { topic: string; method: string; args: Record<string, unknown> };

/** nova's bus, whose every message `seen` is shown, notifications too. */
export function observedBus(world: World, seen: (message: SeenMessage) => void): LocalBus {
  const plain = createLocalBus(world, { faultStatus: novaFaultStatus });
  const show = (topic: string, { method, args }: Message) => seen({ topic, method, args });
  plain.onNotification((topic, body) => seen({ topic, method: 'notification', args: body }));
  return {
    ...plain,
    call: (context, topic, message, more) => {
      show(topic, message);
      return plain.call(context, topic, message, more);
    },
    cast: (context, topic, message) => {
      show(topic, message);
      return plain.cast(context, topic, message);
    },
    fanout: (context, topic, message) => {
      show(topic, message);
      return plain.fanout(context, topic, message);
    },
  };
}

/** The bus with hosts forced on boots, as an administrator forces them: host by the name of the instance. */
export function placing(bus: Bus, placement: ReadonlyMap<string, string>): Bus {
  return {
    ...bus,
    cast: (context, topic, message) => {
      const args = message.args as Partial<ScheduleRunArgs>;
      const name = args.request_spec?.instance_properties?.display_name;
      const host = name ? placement.get(name) : undefined;
      if (message.method !== 'run_instance' || host === undefined) return bus.cast(context, topic, message);
      const filter_properties = { ...args.filter_properties, force_hosts: [host] };
      return bus.cast(context, topic, { ...message, args: { ...args, filter_properties } });
    },
  };
}
