import { existsSync } from 'node:fs';
import type { Logger } from '@folsom/core';
import { run } from '@folsom/host/run';

export interface RsyncOptions {
  /** `rsync_timeout`: the longest run. */
  timeoutMs: number;
  /** `rsync_io_timeout`, seconds. */
  ioTimeout: number;
  /** Every server on one host has its own module, named with its port. */
  vmTestMode: boolean;
}

/** rsync's exit status for a daemon that cannot be reached, and for a module that does not exist. */
export const RSYNC_UNREACHABLE: ReadonlySet<number> = new Set([5, 10, 35, 127]);

/**
 * Pushes suffix directories of a partition to `<ip>::object/<device>/objects/<partition>`.
 * @returns rsync's exit status; 127 where there is no rsync at all.
 */
export async function rsyncSuffixes(
  partitionPath: string,
  partition: string,
  suffixes: readonly string[],
  node: { ip: string; port: number; device: string },
  options: RsyncOptions,
  log: Logger,
): Promise<number> {
  const sources = suffixes.map(suffix => `${partitionPath}/${suffix}`).filter(path => existsSync(path));
  if (sources.length === 0) return 0;
  const host = node.ip.includes(':') ? `[${node.ip}]` : node.ip;
  const module = `${host}::object${options.vmTestMode ? node.port : ''}`;
  const argv = [
    'rsync',
    '--recursive',
    '--whole-file',
    '--human-readable',
    '--xattrs',
    '--itemize-changes',
    '--ignore-existing',
    `--timeout=${options.ioTimeout}`,
    `--contimeout=${options.ioTimeout}`,
    ...sources,
    `${module}/${node.device}/objects/${partition}`,
  ];
  try {
    const { code, stderr } = await run(argv, { timeoutMs: options.timeoutMs, allowedCodes: 'any' });
    if (code !== 0 && !RSYNC_UNREACHABLE.has(code)) {
      log.error('rsync failed', { code, to: argv.at(-1), text: stderr.slice(0, 500) });
    }
    return code;
  } catch (error) {
    const unknown = /ENOENT|not found|No such file/.test((error as Error).message);
    if (!unknown) log.error('rsync failed', { to: argv.at(-1), reason: (error as Error).message });
    return unknown ? 127 : 1;
  }
}
