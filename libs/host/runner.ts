import { type RunOptions, type RunResult, run } from './run.ts';

/** Something that runs programs: this host itself, or this host as seen from inside a network namespace. */
export interface Runner {
  (argv: readonly string[], options: RunOptions): Promise<RunResult>;
  /** Prefix with which a long-lived child must be started to be in the same place. */
  readonly prefix: readonly string[];
}

export const hostRunner: Runner = Object.assign(
  (argv: readonly string[], options: RunOptions) => run(argv, options),
  { prefix: [] as readonly string[] },
);

/** Runs everything inside the network namespace `name` (made by somebody else with `ip netns add`). */
export const namespaceRunner = (name: string): Runner => {
  const prefix = ['ip', 'netns', 'exec', name] as const;
  return Object.assign((argv: readonly string[], options: RunOptions) => run([...prefix, ...argv], options), {
    prefix,
  });
};

/** Time limit of small host commands (`ip`, `sysctl`, `iptables-save`). */
export const HOST_COMMAND_MS = 20_000;
