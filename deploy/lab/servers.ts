import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { HOST_ENV } from '@folsom/host/run';
import type { HostPlan, ServerName } from './plan.ts';
import { inside, runOn, type Space } from './spaces.ts';

/** The programs of others that a lab stands on, as Debian has them, each on its standard port. */

const PROGRAMS: Record<ServerName, { file: string; package: string }> = {
  mariadb: { file: '/usr/sbin/mariadbd', package: 'mariadb-server' },
  rabbitmq: { file: '/usr/lib/rabbitmq/bin/rabbitmq-server', package: 'rabbitmq-server' },
  redis: { file: '/usr/bin/redis-server', package: 'redis-server' },
  memcached: { file: '/usr/bin/memcached', package: 'memcached' },
};
export const SERVER_PORTS: Record<ServerName, number> = {
  mariadb: 3306,
  rabbitmq: 5672,
  redis: 6379,
  memcached: 11_211,
};
/** Where they keep their files on their host. */
export const SERVER_STATE = '/var/lib/folsom-servers';
const INSTALL_MS = 180_000;

export function isInstalled(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Packages to install before there can be a lab. */
export const missingPackages = (): string[] =>
  Object.values(PROGRAMS)
    .filter(({ file }) => !isInstalled(file))
    .map(program => program.package);

export interface ServerSettings {
  /** SQL that makes databases and users. */
  sql: string;
  /** Of the broker's user, and of the cluster. */
  password: string;
  brokers: readonly HostPlan[];
}

const folder = (server: ServerName) => `${SERVER_STATE}/${server}`;

/** Makes the files of a server. */
const PREPARE: Record<ServerName, (space: Space, settings: ServerSettings) => Promise<void>> = {
  mariadb: async (space, { sql }) => {
    const dir = folder('mariadb');
    mkdirSync(inside(space, `${dir}/tmp`), { recursive: true });
    writeFileSync(inside(space, `${dir}/init.sql`), sql, { mode: 0o600 });
    await runOn(
      space,
      [
        'mariadb-install-db',
        ...['--no-defaults', '--user=root', `--datadir=${dir}/data`, `--tmpdir=${dir}/tmp`],
        ...['--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-log-file-size=16M'],
      ],
      { timeoutMs: INSTALL_MS },
    );
  },
  rabbitmq: async (space, { password, brokers }) => {
    const dir = inside(space, folder('rabbitmq'));
    mkdirSync(dir, { recursive: true });
    const [first] = brokers;
    const isCluster = brokers.length > 1 && first !== undefined;
    writeFileSync(
      `${dir}/rabbitmq.conf`,
      [
        'default_user = folsom',
        `default_pass = ${password}`,
        'log.file = false',
        'log.console = true',
        'log.console.level = warning',
        'vm_memory_high_watermark.absolute = 1GB',
        'disk_free_limit.absolute = 50MB',
        // The first is there before the others, which join it.
        ...(isCluster
          ? [
              'cluster_formation.peer_discovery_backend = classic_config',
              `cluster_formation.classic_config.nodes.1 = rabbit@${first.name}`,
              // A node that is alone in a cut network must not go on by itself.
              'cluster_partition_handling = pause_minority',
            ]
          : []),
        '',
      ].join('\n'),
    );
    writeFileSync(`${dir}/plugins`, '[].\n');
    writeFileSync(`${dir}/.erlang.cookie`, password, { mode: 0o400 });
  },
  redis: async space => void mkdirSync(inside(space, folder('redis')), { recursive: true }),
  memcached: async () => {},
};

const RABBIT_ENV = (host: string): Record<string, string> => {
  const dir = folder('rabbitmq');
  return {
    ...HOST_ENV,
    HOME: dir,
    RABBITMQ_NODENAME: `rabbit@${host}`,
    RABBITMQ_MNESIA_BASE: `${dir}/mnesia`,
    RABBITMQ_LOG_BASE: `${dir}/log`,
    RABBITMQ_SCHEMA_DIR: `${dir}/schema`,
    RABBITMQ_GENERATED_CONFIG_DIR: `${dir}/schema`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${dir}/plugins`,
    RABBITMQ_CONFIG_FILE: `${dir}/rabbitmq.conf`,
    RABBITMQ_PID_FILE: `${dir}/pid`,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2 +sbwt none -noinput',
    // The script becomes the broker instead of waiting for it, so that what ends the one ends the other.
    RABBITMQ_ALLOW_INPUT: 'true',
  };
};

const words = (server: ServerName): string[] => {
  const dir = folder(server);
  const program = PROGRAMS[server].file;
  if (server === 'mariadb')
    return [
      program,
      ...['--no-defaults', '--user=root', `--datadir=${dir}/data`, `--tmpdir=${dir}/tmp`],
      ...[`--socket=${dir}/mysqld.sock`, `--pid-file=${dir}/mariadbd.pid`, `--init-file=${dir}/init.sql`],
      ...[`--port=${SERVER_PORTS.mariadb}`, '--bind-address=0.0.0.0', '--skip-name-resolve'],
      ...['--character-set-server=utf8', '--innodb-buffer-pool-size=64M', '--innodb-log-file-size=16M'],
      // Commits reach the system, which outlives a killed server.
      ...['--max-connections=1000', '--innodb-flush-log-at-trx-commit=2'],
      ...['--performance-schema=OFF', '--skip-log-bin'],
    ];
  if (server === 'redis')
    return [
      program,
      ...['--dir', dir, '--save', '', '--appendonly', 'no', '--protected-mode', 'no'],
      // It would write over its environment, by which it is known.
      ...['--set-proc-title', 'no'],
    ];
  if (server === 'memcached') return [program, ...['-u', 'root', '-m', '32', '-t', '1', '-U', '0']];
  return [program];
};

/** How a server is started on its host. */
export const serverProcess = (server: ServerName, host: string) => ({
  argv: words(server),
  env: server === 'rabbitmq' ? RABBIT_ENV(host) : HOST_ENV,
});

export const prepareServer = (server: ServerName, space: Space, settings: ServerSettings): Promise<void> =>
  PREPARE[server](space, settings);

/** Whether a server takes connections; asked from the switch. */
export function takesConnections(address: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection({ host: address, port, timeout: timeoutMs });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}
