import type { Clock, LogFields, Logger } from '@folsom/core';
import { IDENTITY_LIMITS } from './limits.ts';

/**
 * A log in which refused requests (401 to anybody who cares to ask) cannot fill a disk: some a second are written as they
 * are, the rest is counted and told in one line.
 */
export function sampleFailures(log: Logger, clock: Clock): Logger {
  let second = -1;
  let written = 0;
  let left = 0;
  const wrap = (inner: Logger): Logger => {
    const info = (message: string, fields?: LogFields) => {
      const status = fields?.status;
      if (message !== 'request' || typeof status !== 'number' || status < 400 || status >= 500) {
        return inner.info(message, fields);
      }
      const now = Math.floor(clock.monotonic() / 1000);
      if (now !== second) {
        if (left > 0) inner.warn('refused requests not written one by one', { count: left });
        second = now;
        written = 0;
        left = 0;
      }
      if (written < IDENTITY_LIMITS.failuresLoggedPerSecond) {
        written += 1;
        inner.info(message, fields);
      } else {
        left += 1;
      }
    };
    return {
      level: inner.level,
      debug: (message, fields) => inner.debug(message, fields),
      info,
      warn: (message, fields) => inner.warn(message, fields),
      error: (message, fields) => inner.error(message, fields),
      child: fields => wrap(inner.child(fields)),
    };
  };
  return wrap(log);
}
