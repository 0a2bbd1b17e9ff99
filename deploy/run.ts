import type { Logger, RunningService } from '@folsom/core';

/**
 * Keeps a started service running until SIGINT or SIGTERM (or the signals given), stops it, and resolves to the exit code. A second signal while
 * stopping ends the process at once.
 */
export async function runUntilSignal(
  service: Pick<RunningService, 'name' | 'stop'>,
  log?: Logger,
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'],
): Promise<number> {
  const signal = await new Promise<NodeJS.Signals>(resolve => {
    for (const name of signals) process.once(name, () => resolve(name));
  });
  log?.info('stopping', { service: service.name, signal });
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130));
  // A signal handler does not keep the process alive, nor may anything left over keep it from ending.
  await service.stop();
  setImmediate(() => process.exit(process.exitCode ?? 0));
  return 0;
}
