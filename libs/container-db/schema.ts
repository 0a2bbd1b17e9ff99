/**
 * The tables of account and container databases, as swift 1.7.4 has them on disk. The original opens files made
 * here and the other way round, so names, defaults and triggers are given.
 */

export type DbKindName = 'account' | 'container';

const syncTable = (direction: 'incoming' | 'outgoing'): string => `
  CREATE TABLE ${direction}_sync (remote_id TEXT UNIQUE, sync_point INTEGER, updated_at TEXT DEFAULT 0);
  ${['INSERT', 'UPDATE']
    .map(
      event => `CREATE TRIGGER ${direction}_sync_${event.toLowerCase()} AFTER ${event} ON ${direction}_sync
    BEGIN
      UPDATE ${direction}_sync SET updated_at = STRFTIME('%s', 'NOW') WHERE ROWID = new.ROWID;
    END;`,
    )
    .join('\n  ')}`;

const SYNC = syncTable('outgoing') + syncTable('incoming');

const NO_UPDATE = (table: string): string => `
  CREATE TRIGGER ${table}_update BEFORE UPDATE ON ${table}
  BEGIN
    SELECT RAISE(FAIL, 'UPDATE not allowed; DELETE and INSERT');
  END;`;

const CONTAINER = `
  CREATE TABLE object (
    ROWID INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT,
    created_at TEXT,
    size INTEGER,
    content_type TEXT,
    etag TEXT,
    deleted INTEGER DEFAULT 0
  );
  CREATE INDEX ix_object_deleted_name ON object (deleted, name);
  CREATE TRIGGER object_insert AFTER INSERT ON object
  BEGIN
    UPDATE container_stat
    SET object_count = object_count + (1 - new.deleted),
        bytes_used = bytes_used + new.size,
        hash = chexor(hash, new.name, new.created_at);
  END;
  ${NO_UPDATE('object')}
  CREATE TRIGGER object_delete AFTER DELETE ON object
  BEGIN
    UPDATE container_stat
    SET object_count = object_count - (1 - old.deleted),
        bytes_used = bytes_used - old.size,
        hash = chexor(hash, old.name, old.created_at);
  END;
  CREATE TABLE container_stat (
    account TEXT,
    container TEXT,
    created_at TEXT,
    put_timestamp TEXT DEFAULT '0',
    delete_timestamp TEXT DEFAULT '0',
    object_count INTEGER,
    bytes_used INTEGER,
    reported_put_timestamp TEXT DEFAULT '0',
    reported_delete_timestamp TEXT DEFAULT '0',
    reported_object_count INTEGER DEFAULT 0,
    reported_bytes_used INTEGER DEFAULT 0,
    hash TEXT default '00000000000000000000000000000000',
    id TEXT,
    status TEXT DEFAULT '',
    status_changed_at TEXT DEFAULT '0',
    metadata TEXT DEFAULT '',
    x_container_sync_point1 INTEGER DEFAULT -1,
    x_container_sync_point2 INTEGER DEFAULT -1
  );
  INSERT INTO container_stat (object_count, bytes_used) VALUES (0, 0);`;

const ACCOUNT_KEY = (row: 'new' | 'old'): string =>
  `${row}.put_timestamp || '-' || ${row}.delete_timestamp || '-' || ${row}.object_count || '-' || ${row}.bytes_used`;

const ACCOUNT = `
  CREATE TABLE container (
    ROWID INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT,
    put_timestamp TEXT,
    delete_timestamp TEXT,
    object_count INTEGER,
    bytes_used INTEGER,
    deleted INTEGER DEFAULT 0
  );
  CREATE INDEX ix_container_deleted_name ON container (deleted, name);
  CREATE TRIGGER container_insert AFTER INSERT ON container
  BEGIN
    UPDATE account_stat
    SET container_count = container_count + (1 - new.deleted),
        object_count = object_count + new.object_count,
        bytes_used = bytes_used + new.bytes_used,
        hash = chexor(hash, new.name, ${ACCOUNT_KEY('new')});
  END;
  ${NO_UPDATE('container')}
  CREATE TRIGGER container_delete AFTER DELETE ON container
  BEGIN
    UPDATE account_stat
    SET container_count = container_count - (1 - old.deleted),
        object_count = object_count - old.object_count,
        bytes_used = bytes_used - old.bytes_used,
        hash = chexor(hash, old.name, ${ACCOUNT_KEY('old')});
  END;
  CREATE TABLE account_stat (
    account TEXT,
    created_at TEXT,
    put_timestamp TEXT DEFAULT '0',
    delete_timestamp TEXT DEFAULT '0',
    container_count INTEGER,
    object_count INTEGER DEFAULT 0,
    bytes_used INTEGER DEFAULT 0,
    hash TEXT default '00000000000000000000000000000000',
    id TEXT,
    status TEXT DEFAULT '',
    status_changed_at TEXT DEFAULT '0',
    metadata TEXT DEFAULT ''
  );
  INSERT INTO account_stat (container_count) VALUES (0);`;

/** The statements that make an empty database of a kind. */
export const schemaOf = (kind: DbKindName): string => SYNC + (kind === 'account' ? ACCOUNT : CONTAINER);
