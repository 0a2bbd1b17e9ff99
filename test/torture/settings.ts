export const HOSTS = ['node1', 'node2', 'node3'] as const;
/** Two of what may be two; the schedulers choose in different ways. */
export const DAEMONS = [
  'api1',
  'api2',
  'scheduler1',
  'scheduler2',
  'network1',
  'consoleauth1',
  ...HOSTS,
] as const;
export type DaemonName = (typeof DAEMONS)[number];

/** What a daemon is told at its start, as a file. */
export interface DaemonSettings {
  seed: number;
  driver: 'fake' | 'libvirt';
  /** Where simulated hypervisors keep their guests. */
  dir: string;
  /** The database's, with HOST:PORT in the place of its address. */
  connection: string;
  /** Section `[filter:authtoken]`. */
  authToken: Record<string, string>;
  nova: Record<string, string | number | boolean>;
  daemons: Record<
    string,
    {
      nova: Record<string, string | number | boolean>;
      /** Each has lines of its own, which can be cut. */
      lines: Record<'database' | 'broker', { host: string; port: number }>;
    }
  >;
}

/** What a daemon says when noise ends: how many of its messages came late and twice. */
export interface Noise {
  late: number;
  twice: number;
}

/** What a running daemon is told. */
export type ToDaemon = { clockMs: number } | { noise: boolean };
