import { adminContext, type World } from '@folsom/core';
import { type Bus, createNotifier } from '@folsom/rpc';

/** What Folsom calls the event, and who publishes it. */
const EVENT = 'error_notification';
const PUBLISHER = 'error.publisher';

/** A log line says so itself; nothing else of it is looked at before. */
const IS_ERROR = '"level":"error"';
/** What could not be told about an error is not told in its turn. */
const OF_ITSELF = `"event_type":"${EVENT}"`;

/** Tells lines of the log that are errors to whoever listens to notifications (`publish_errors`). */
export function errorPublisher(options: {
  bus: Bus;
  world: World;
  drivers: readonly string[];
  topics: readonly string[];
}): (line: string) => void {
  const notify = createNotifier({ ...options, publisherId: PUBLISHER });
  return line => {
    if (!line.includes(IS_ERROR) || line.includes(OF_ITSELF)) return;
    const { message } = JSON.parse(line) as { message: string };
    // A notifier never throws: what it cannot send it logs.
    void notify(adminContext(), EVENT, { error: message }, 'ERROR');
  };
}
