import { hostname } from 'node:os';
import type { World } from '@folsom/core';
import type { Bus } from '@folsom/rpc';
import type { ImageContext } from './context.ts';

export type Priority = 'INFO' | 'WARN' | 'ERROR';

/** Tells the outside what happened to images: `image.upload`, `image.update`, `image.delete`, `image.send`. */
export interface Notifier {
  notify(context: ImageContext, event: string, priority: Priority, payload: unknown): void;
}

/**
 * @param strategy `noop` or `default` (silent), `logging`, `rabbit` (through `bus`)
 * @throws Error with one sentence for a strategy that does not exist or cannot work.
 */
export function createNotifier(
  strategy: string,
  parts: { world: World; bus: Bus | null; topic: string },
): Notifier {
  const { world, bus, topic } = parts;
  const publisher = hostname();
  const message = (event: string, priority: Priority, payload: unknown) => ({
    message_id: world.random.uuid(),
    publisher_id: publisher,
    event_type: event,
    priority,
    payload: withoutLocation(payload),
    timestamp: new Date(world.clock.now()).toISOString().replace('T', ' ').replace('Z', '000'),
  });
  switch (strategy) {
    case 'noop':
    case 'default':
      return { notify: () => {} };
    case 'logging':
      return {
        notify: (_context, event, priority, payload) =>
          world.log[priority === 'INFO' ? 'info' : priority === 'WARN' ? 'warn' : 'error'](
            'notification',
            message(event, priority, payload),
          ),
      };
    case 'rabbit':
      if (!bus) throw new Error('notifier_strategy is rabbit, but there is no message bus');
      return {
        notify: (_context, event, priority, payload) => {
          // An image operation never waits for, or fails with, its notification.
          bus
            .notify(null, topic, priority.toLowerCase(), message(event, priority, payload))
            .catch(error => world.log.warn('a notification could not be sent', { event, error }));
        },
      };
    case 'qpid':
      throw new Error('notifier_strategy qpid is not supported: use rabbit');
    default:
      throw new Error(`'${strategy}' is not an available notifier strategy.`);
  }
}

/** Locations may hold credentials of the store: they stay inside. */
function withoutLocation(payload: unknown): unknown {
  if (payload === null || typeof payload !== 'object' || !('location' in payload)) return payload;
  return { ...payload, location: null };
}
