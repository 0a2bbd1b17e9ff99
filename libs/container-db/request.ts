import { join } from 'node:path';
import type { World } from '@folsom/core';
import { type PathHash, type StorageOperation, type StorageRequest, storageDirectory } from '@folsom/swift';
import type { Headers, ServerRequest, ServerResponse } from '@folsom/swift-http';
import type { AnyDb, DbFileOptions } from './database.ts';
import type { DbKindName } from './schema.ts';
import type { DbLease, DbStore } from './store.ts';

export interface DbRequest<Db> {
  http: ServerRequest;
  method: string;
  headers: Headers;
  query: string;
  /** '' where the path names none. */
  account: string;
  container: string | undefined;
  object: string | undefined;
  /** Of the names of the account and the container, or as the path says it. */
  hash: string;
  /** Of the device that the path names. */
  deviceDir: string;
  /** Where the database of this request lies. */
  path: string;
  open(): Db | null;
  /** Opens a file that is no database of this server's yet. */
  openFile(path: string): Db;
  store: Pick<DbStore<Db>, 'create'>;
  lease: DbLease<Db>;
  /** What another request, which came in this one's body, asks for; an answer if it cannot be done. */
  inner(http: ServerRequest): DbRequest<Db> | ServerResponse;
  world: World;
  server: { program: string; logged: boolean };
}

export type DbHandler<Context, Db> = (context: Context, request: DbRequest<Db>) => Promise<ServerResponse>;

export type DbOperation<Context, Db> = StorageOperation<DbHandler<Context, Db>>;

/** What a server's requests have in common. */
export interface DbPlace<Db> {
  kind: DbKindName;
  root: string;
  pathHash: PathHash;
  store: DbStore<Db>;
  Kind: new (path: string, options: DbFileOptions) => Db;
  fileOptions: DbFileOptions;
  server: DbRequest<Db>['server'];
}

/** What a request is about, by what its path names. */
export function dbRequest<Db extends AnyDb>(
  { kind, root, pathHash, store, Kind, fileOptions, server }: DbPlace<Db>,
  { http, query, names }: Pick<StorageRequest<unknown>, 'http' | 'query' | 'names'>,
  lease: DbLease<Db>,
  inner: DbRequest<Db>['inner'],
): DbRequest<Db> {
  const { device = '', partition = '', account = '', container, object } = names;
  const hash = names.hash ?? pathHash.hex(account, ...(kind === 'container' && container ? [container] : []));
  const deviceDir = join(root, device);
  const path = join(deviceDir, storageDirectory(`${kind}s`, partition, hash), `${hash}.db`);
  return {
    http,
    method: http.method,
    headers: http.headers,
    query,
    account,
    container,
    object,
    hash,
    deviceDir,
    path,
    open: () => lease.open(path),
    openFile: at => new Kind(at, fileOptions),
    store,
    lease,
    inner,
    world: fileOptions.world,
    server,
  };
}
