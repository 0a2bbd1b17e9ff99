import { MASK, pythonIso, type RequestContext, type World } from '@folsom/core';
import type { Bus } from './bus.ts';

export type NotificationPriority = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'CRITICAL';

/** Tells the world outside what happens, e.g. `compute.instance.create.end`. Never fails the work it reports. */
export type Notifier = (
  context: RequestContext,
  eventType: string,
  payload: Record<string, unknown>,
  priority?: NotificationPriority,
) => Promise<void>;

export interface NotifierOptions {
  bus: Bus;
  world: World;
  /** `<service>.<host>`, e.g. `compute.host1`. */
  publisherId: string;
  /** nova's notification_driver: module paths; those of rabbit, log and no_op notifiers are known. */
  drivers: readonly string[];
  /** nova's notification_topics. */
  topics: readonly string[];
}

/** Folsom's notifier: the envelope of a notification and where it goes. */
export function createNotifier({ bus, world, publisherId, drivers, topics }: NotifierOptions): Notifier {
  const overBus = drivers.some(driver => /rabbit_notifier|rpc_notifier|notifier\.rabbit/.test(driver));
  const toLog = drivers.some(driver => /log_notifier/.test(driver));
  return async (context, eventType, payload, priority = 'INFO') => {
    // Most clouds have nobody who listens, and a payload is large.
    if (!overBus && !toLog) return;
    const body = {
      message_id: world.random.uuid(),
      publisher_id: publisherId,
      timestamp: stamp(world.clock.now()),
      priority,
      event_type: eventType,
      payload: withoutUserData(payload),
    };
    if (toLog) world.log.info('notification', { ...body, requestId: context.requestId });
    if (!overBus) return;
    for (const topic of topics) {
      try {
        await bus.notify(context, topic, priority, body);
      } catch (error) {
        world.log.error('a notification could not be sent', { event_type: eventType, topic, error });
      }
    }
  };
}

/** `2012-09-27 10:00:00.000000` */
const stamp = (ms: number): string => {
  const text = pythonIso(ms).replace('T', ' ');
  return text.includes('.') ? text : `${text}.000000`;
};

/** What a user gives his guest to start with is full of passwords, and nobody's whom notifications are for. */
const withoutUserData = (payload: Record<string, unknown>): Record<string, unknown> =>
  JSON.parse(
    JSON.stringify(payload, (key, value: unknown) =>
      key === 'user_data' && typeof value === 'string' ? MASK : value,
    ),
  ) as Record<string, unknown>;
