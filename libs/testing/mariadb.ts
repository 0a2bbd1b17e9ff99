import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@folsom/host';
import { type BackgroundProcess, startBackground } from '@folsom/host/background';
import mysql from 'mysql2/promise';
import { freePort, tempDir } from './places.ts';
import { requireProgram, type ThrowAwayServer, untilUp } from './servers.ts';

const USER = 'folsom';
const PASSWORD = 'folsom-test';
const START_MS = 180_000;

export interface MariaDb extends ThrowAwayServer {
  socket: string;
  /** Creates an empty utf8 database and gives its `mysql://` URL. */
  createDatabase(name: string): Promise<string>;
  url(database: string): string;
}

/**
 * A MariaDB of the test's own, from Debian's binaries, on a socket and port of its own. Works as root without systemd.
 *
 * @param path an empty folder for everything it keeps; default: one of its own
 */
export async function startMariaDb(path?: string): Promise<MariaDb> {
  const program = requireProgram('mariadb');
  const dir = path === undefined ? tempDir('folsom-mariadb') : { path, remove: () => {} };
  const port = await freePort();
  const data = join(dir.path, 'data');
  const socket = join(dir.path, 'mysqld.sock');
  const logFile = join(dir.path, 'mariadbd.log');
  const init = join(dir.path, 'init.sql');
  // A server that starts removes the temporary tables of every other one that uses the same directory.
  mkdirSync(join(dir.path, 'tmp'));
  const ownTemporary = [`--tmpdir=${join(dir.path, 'tmp')}`];
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  writeFileSync(
    init,
    `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${PASSWORD}';\nGRANT ALL ON *.* TO '${USER}'@'%' WITH GRANT OPTION;\n`,
  );
  let server: BackgroundProcess | undefined;

  const connect = () =>
    mysql.createConnection({ host: '127.0.0.1', port, user: USER, password: PASSWORD, connectTimeout: 3000 });

  const start = async () => {
    if (server?.running) return;
    server = await startBackground(
      [
        program,
        '--no-defaults',
        '--user=root',
        `--datadir=${data}`,
        `--socket=${socket}`,
        `--pid-file=${join(dir.path, 'mariadbd.pid')}`,
        `--port=${port}`,
        ...ownTemporary,
        '--bind-address=127.0.0.1',
        '--skip-name-resolve',
        `--init-file=${init}`,
        '--character-set-server=utf8',
        '--innodb-buffer-pool-size=32M',
        '--innodb-log-file-size=16M',
        '--innodb-lock-wait-timeout=5',
        // Commits reach the system, which outlives a killed server; only a power cut would lose the last second.
        '--innodb-flush-log-at-trx-commit=2',
        '--performance-schema=OFF',
        '--skip-log-bin',
      ],
      { logFile, dieWithParent: true },
    );
    const probe = async () => {
      const connection = await connect();
      await connection.query('SELECT 1');
      await connection.end();
    };
    await untilUp(server, probe, { timeoutMs: START_MS, log });
  };

  const stop = async () => {
    await server?.stop(15_000);
    dir.remove();
  };

  try {
    await run(
      [
        'mariadb-install-db',
        '--no-defaults',
        '--user=root',
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        '--innodb-log-file-size=16M',
        ...ownTemporary,
      ],
      { timeoutMs: START_MS },
    );
    await start();
  } catch (error) {
    await stop();
    throw error;
  }

  const url = (database: string) => `mysql://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
  return {
    host: '127.0.0.1',
    port,
    socket,
    url,
    start,
    stop,
    kill: async () => {
      server?.signal('SIGKILL');
      await server?.ended;
    },
    restart: async () => {
      await server?.stop(15_000);
      await start();
    },
    createDatabase: async name => {
      if (!/^\w{1,60}$/.test(name)) throw new Error(`not a database name: ${name}`);
      const connection = await connect();
      await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8`);
      await connection.end();
      return url(name);
    },
  };
}
