import type { HostNamespace } from '@folsom/testing';
import type { Session } from './steps.ts';

/** The address of the walk-through's one machine. */
export const HOST = '172.16.200.6';

/** The walk-through under way: its host, its shell and the ids it has been given. */
export interface Walk {
  host: HostNamespace;
  shell: Session;
  /** Configuration, databases and logs. */
  dir: string;
  ids: Record<string, string>;
  /** Starts one of our programs with a configuration file of `dir` and waits for its ports. */
  start(program: string, conf: string, ports?: number[]): Promise<void>;
  /** Writes a configuration file into `dir`; resolves to its path. */
  configure(name: string, lines: readonly string[]): Promise<string>;
}
