import { mayAnswer as mayAnswerBeside, type Refusals } from '@folsom/swift';
import type { ServerResponse } from '@folsom/swift-http';
import { handleAccount } from './account.ts';
import { handleContainer } from './container.ts';
import type { ProxyCore } from './nodes.ts';
import { handleObjectDelete, handleObjectPost } from './object-change.ts';
import { handleObjectRead } from './object-read.ts';
import { handleObjectCopy, handleObjectPut } from './object-write.ts';
import type { ProxyRequest } from './request.ts';

export type ResourceKind = 'account' | 'container' | 'object';

/** What a request names; what it does not name is ''. */
export interface Names {
  account: string;
  container: string;
  object: string;
}

/**
 * Who may, as the authentication middleware decides it: a reseller, an operator of the account, or besides him whom the
 * container's list for reading or writing names.
 */
export type May = 'reseller' | 'operator' | 'readers' | 'writers';

/** What any operation may answer. */
export const ANY_REFUSES: Refusals = {
  400: 'a length, a framing or metadata that makes no sense',
  401: 'no valid token',
  403: 'not the one who may',
  404: 'the account, the container or the object is not there',
  405: 'the server does not offer this',
  412: 'a name that cannot be read',
  499: 'the client went away',
  503: 'too few storage servers answer',
};

/** One operation of the API, declared as in the other services as far as a stream of bytes allows. */
export interface SwiftOperation {
  /** In the reference; unique. */
  name: string;
  about: string;
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'COPY';
  kind: ResourceKind;
  /** Behind `/v1/`. */
  path: string;
  may: May;
  /** Parameters of the query that are looked at. */
  query?: readonly string[];
  /** Headers of the request that are looked at, beside those of HTTP itself; `*` ends a name of any ending. */
  headers?: readonly string[];
  /** Status of the answer when all went well. */
  answers: readonly number[];
  /** What is answered instead, by status, beside what any operation may answer. */
  refuses?: Refusals;
  run(core: ProxyCore, request: ProxyRequest, names: Names): Promise<ServerResponse>;
}

const PATHS: Readonly<Record<ResourceKind, string>> = {
  account: ':account',
  container: ':account/:container',
  object: ':account/:container/:object',
};

const LISTING = ['limit', 'marker', 'end_marker', 'prefix', 'delimiter', 'format'] as const;
const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'] as const;
const READING = ['range', 'if-range', ...CONDITIONS, 'x-newest'] as const;
const ACCOUNT = ['x-account-meta-*', 'x-remove-account-meta-*'] as const;
const CONTAINER = [
  'x-container-meta-*',
  'x-remove-container-meta-*',
  'x-container-read',
  'x-container-write',
  'x-container-sync-to',
  'x-container-sync-key',
  'x-versions-location',
] as const;
const EXPIRY = ['x-delete-at', 'x-delete-after'] as const;
const STORED = ['x-object-meta-*', 'content-type', 'content-encoding', 'content-disposition'] as const;

const RANGE = { 416: 'a range that the answer does not have' } as const;
const STORING = {
  408: 'the body does not come',
  411: 'no length, and not in chunks',
  412: 'a condition that does not hold, or a source or version that cannot be had',
  413: 'too large',
  416: 'a range that the source does not have',
  422: 'the bytes have another checksum than their ETag',
  500: 'the storage servers disagree about the bytes',
} as const;

type Declared = Omit<SwiftOperation, 'kind' | 'path' | 'run'>;

const of = (
  kind: ResourceKind,
  run: SwiftOperation['run'],
  declared: readonly Declared[],
): SwiftOperation[] => declared.map(one => ({ ...one, kind, path: PATHS[kind], run }));

const onAccount = of('account', (core, request, { account }) => handleAccount(core, request, account), [
  {
    name: 'ListContainers',
    about: 'Lists the containers of an account.',
    method: 'GET',
    may: 'operator',
    query: LISTING,
    headers: ['accept', 'range', 'x-newest'],
    answers: [200, 204],
    refuses: { ...RANGE, 412: 'a delimiter, a limit or a marker that cannot be' },
  },
  {
    name: 'ShowAccount',
    about: 'Tells the numbers and the metadata of an account.',
    method: 'HEAD',
    may: 'operator',
    headers: ['x-newest'],
    answers: [204],
  },
  {
    name: 'CreateAccount',
    about: 'Makes an account, or takes its deletion back, where account management is on.',
    method: 'PUT',
    may: 'reseller',
    headers: [...ACCOUNT, 'x-account-undelete'],
    answers: [201, 202],
    refuses: { 403: 'deleted a short while ago', 409: 'deleted, and being removed' },
  },
  {
    name: 'UpdateAccount',
    about: 'Changes the metadata of an account.',
    method: 'POST',
    may: 'operator',
    headers: ACCOUNT,
    answers: [204],
  },
  {
    name: 'DeleteAccount',
    about: 'Deletes an account, where account management is on.',
    method: 'DELETE',
    may: 'reseller',
    answers: [204],
    refuses: { 409: 'changed by another at the same time' },
  },
]);

const onContainer = of(
  'container',
  (core, request, { account, container }) => handleContainer(core, request, account, container),
  [
    {
      name: 'ListObjects',
      about: 'Lists the objects of a container.',
      method: 'GET',
      may: 'readers',
      query: [...LISTING, 'path'],
      headers: ['accept', 'range', 'x-newest'],
      answers: [200, 204],
      refuses: { ...RANGE, 412: 'a delimiter, a limit or a marker that cannot be' },
    },
    {
      name: 'ShowContainer',
      about: 'Tells the numbers and the metadata of a container.',
      method: 'HEAD',
      may: 'readers',
      headers: ['x-newest'],
      answers: [204],
    },
    {
      name: 'CreateContainer',
      about: 'Makes a container, or changes its metadata.',
      method: 'PUT',
      may: 'operator',
      headers: CONTAINER,
      answers: [201, 202],
      refuses: { 403: 'the account has as many as it may', 409: 'changed by another at the same time' },
    },
    {
      name: 'UpdateContainer',
      about: 'Changes the metadata and access lists of a container.',
      method: 'POST',
      may: 'operator',
      headers: CONTAINER,
      answers: [204],
    },
    {
      name: 'DeleteContainer',
      about: 'Deletes an empty container.',
      method: 'DELETE',
      may: 'operator',
      answers: [204],
      refuses: { 409: 'there are objects in it' },
    },
  ],
);

const object = (
  run: (
    core: ProxyCore,
    request: ProxyRequest,
    account: string,
    container: string,
    object: string,
  ) => Promise<ServerResponse>,
  declared: Declared,
): SwiftOperation[] =>
  of('object', (core, request, names) => run(core, request, names.account, names.container, names.object), [
    declared,
  ]);

const onObject = [
  ...object(handleObjectRead, {
    name: 'GetObject',
    about: 'Sends an object, or a part of it.',
    method: 'GET',
    may: 'readers',
    headers: READING,
    answers: [200, 206],
    refuses: {
      ...RANGE,
      304: 'unchanged',
      409: 'a manifest whose parts have changed',
      500: 'a manifest whose parts cannot be listed',
      412: 'a condition that does not hold',
    },
  }),
  ...object(handleObjectRead, {
    name: 'ShowObject',
    about: 'Tells the headers of an object.',
    method: 'HEAD',
    may: 'readers',
    headers: READING,
    answers: [200, 206],
    refuses: {
      ...RANGE,
      304: 'unchanged',
      409: 'a manifest whose parts have changed',
      500: 'a manifest whose parts cannot be listed',
      412: 'a condition that does not hold',
    },
  }),
  ...object(handleObjectPut, {
    name: 'PutObject',
    about: 'Stores an object, or a copy of another.',
    method: 'PUT',
    may: 'writers',
    headers: [
      ...STORED,
      ...EXPIRY,
      'etag',
      'transfer-encoding',
      'x-object-manifest',
      'x-copy-from',
      'x-fresh-metadata',
      ...CONDITIONS,
      'range',
      'x-timestamp',
    ],
    answers: [201],
    refuses: STORING,
  }),
  ...object(handleObjectPost, {
    name: 'UpdateObject',
    about: 'Replaces the metadata of an object.',
    method: 'POST',
    may: 'writers',
    headers: [...STORED, ...EXPIRY, 'x-fresh-metadata'],
    answers: [202],
  }),
  ...object(handleObjectDelete, {
    name: 'DeleteObject',
    about: 'Deletes an object; where versions are kept, the last one comes back.',
    method: 'DELETE',
    may: 'writers',
    headers: ['x-timestamp'],
    answers: [204],
    refuses: { 409: 'changed by another at the same time', 412: 'an older version that cannot be put back' },
  }),
  ...object(handleObjectCopy, {
    name: 'CopyObject',
    about: 'Stores a copy of an object under another name.',
    method: 'COPY',
    may: 'writers',
    headers: ['destination', ...STORED, ...EXPIRY, 'x-fresh-metadata', ...CONDITIONS, 'range'],
    answers: [201],
    refuses: STORING,
  }),
];

/** Whether an operation may answer that. */
export const mayAnswer = (operation: SwiftOperation, status: number): boolean =>
  mayAnswerBeside(operation, status, ANY_REFUSES);

/** All that clients can ask of the proxy. */
export const operations: readonly SwiftOperation[] = [...onAccount, ...onContainer, ...onObject];

const byName = new Map(operations.map(operation => [`${operation.kind} ${operation.method}`, operation]));

/** Undefined where a kind has no such method. */
export const operationOf = (kind: ResourceKind, method: string): SwiftOperation | undefined =>
  byName.get(`${kind} ${method}`);
