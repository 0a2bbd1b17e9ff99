import type { Logger } from '@folsom/core';
import { HOST_ENV, run } from '@folsom/host';

/** Folsom's own module for systemd, and the program that does the same. */
const SYSTEMD_MODULE = 'keystone.common.systemd';
const SYSTEMD_COMMAND = 'systemd-notify --ready';
const COMMAND_MS = 30_000;

/**
 * Tells whoever waits that the service answers: runs the command of the option `onready`, without a shell. One that fails is
 * written to the log; the service goes on. `notifySocket` is what systemd gave the process.
 */
export async function tellReady(
  onready: string | null,
  options: { log: Logger; notifySocket: string | undefined },
): Promise<void> {
  const { log, notifySocket } = options;
  if (onready === null || (onready === SYSTEMD_MODULE && notifySocket === undefined)) return;
  const words = (onready === SYSTEMD_MODULE ? SYSTEMD_COMMAND : onready).split(/\s+/).filter(Boolean);
  if (words.length === 0) return;
  const env = { ...HOST_ENV, ...(notifySocket === undefined ? {} : { NOTIFY_SOCKET: notifySocket }) };
  try {
    await run(words, { timeoutMs: COMMAND_MS, env });
  } catch (error) {
    log.error('the command of onready failed', { error });
  }
}
