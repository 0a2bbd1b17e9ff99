import { resolve } from 'node:path';
import { must } from '@folsom/core';
import { DatabaseError } from './errors.ts';

export type ConnectionTarget =
  | { kind: 'sqlite' /** null: in memory. */; file: string | null }
  | {
      kind: 'mysql';
      host: string;
      port: number;
      user: string;
      password: string;
      database: string;
      /** Instead of host and port. */
      socketPath: string | undefined;
    };

/**
 * Reads the connection strings of Folsom's configuration: `sqlite://` (memory), `sqlite:///relative/path`,
 * `sqlite:////absolute/path`, `mysql://user:password@host:port/database?unix_socket=/path`; a driver
 * (`mysql+pymysql`) is allowed and ignored.
 */
export function parseConnectionString(text: string): ConnectionTarget {
  const [, dialect, rest] = /^(\w+)(?:\+\w+)?:\/\/(.*)$/s.exec(text.trim()) ?? [];
  if (dialect === 'sqlite') {
    const path = must((rest ?? '').split('?')[0], 'a split has a first part');
    if (path === '' || path === '/' || path === '/:memory:') return { kind: 'sqlite', file: null };
    if (!path.startsWith('/')) throw unreadable('SQLite paths begin after three slashes (sqlite:///path)');
    return { kind: 'sqlite', file: resolve(path.slice(1)) };
  }
  if (dialect !== 'mysql' && dialect !== 'mariadb') {
    throw unreadable('expected sqlite:///path or mysql://user:password@host/database');
  }
  // The password may hold any character; it ends at the last @.
  const match = /^(?:(.*)@)?(\[[^\]]*\]|[^:/@]*)(?::(\d+))?\/([^?]*)(?:\?(.*))?$/s.exec(rest ?? '');
  if (!match) throw unreadable('expected mysql://user:password@host/database');
  const [, login = '', host = '', port, database = '', query = ''] = match;
  if (database === '') throw unreadable('it names no database');
  const colon = login.indexOf(':');
  return {
    kind: 'mysql',
    host: host.replace(/^\[|\]$/g, '') || 'localhost',
    port: Number(port ?? 3306),
    user: decode(colon < 0 ? login : login.slice(0, colon)),
    password: colon < 0 ? '' : decode(login.slice(colon + 1)),
    database: decode(database),
    socketPath: new URLSearchParams(query).get('unix_socket') ?? undefined,
  };
}

const unreadable = (why: string): DatabaseError =>
  new DatabaseError(`the database connection is unreadable: ${why}`);

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The target without its password, for messages. */
export const showTarget = (target: ConnectionTarget): string =>
  target.kind === 'sqlite'
    ? `SQLite ${target.file ?? 'in memory'}`
    : `MySQL ${target.database} at ${target.socketPath ?? `${target.host}:${target.port}`}`;
