import { must } from '@folsom/core';
import {
  EACH_DEVICES,
  EACH_METHODS,
  type EachMethod,
  type Field,
  type Fields,
  type StorageOperation,
  type StorageRequest,
} from '@folsom/swift';
import type { ServerResponse } from '@folsom/swift-http';
import { deleteObject, postObject } from './change-object.ts';
import type { ObjectRequest, ObjectServerContext } from './context.ts';
import { changeEach } from './each-replica.ts';
import { objectPlace } from './object-file.ts';
import { putObject } from './put-object.ts';
import { getObject, headObject } from './read-object.ts';
import { replicatePartition } from './suffix-request.ts';
import { LISTING_HEADER, REPLICATION_HEADER } from './sync-protocol.ts';

type Answer = ServerResponse | Promise<ServerResponse>;

export type ObjectRun = (
  context: ObjectServerContext,
  request: Pick<StorageRequest<unknown>, 'http' | 'names'>,
) => Answer;

const named = (names: StorageRequest<unknown>['names'], name: string): string =>
  must(names[name], 'the path of the operation has this name');

const onObject =
  (handler: (context: ObjectServerContext, request: ObjectRequest) => Answer): ObjectRun =>
  (context, { http, names }) => {
    const [deviceName, partition, account, container, object] = [
      named(names, 'device'),
      named(names, 'partition'),
      named(names, 'account'),
      named(names, 'container'),
      named(names, 'object'),
    ];
    const device = `${context.options.devices}/${deviceName}`;
    const place = objectPlace(context.pathHash, device, partition, account, container, object);
    return handler(context, { http, account, container, object, deviceName, place });
  };

const onEach =
  (method: EachMethod): ObjectRun =>
  (context, { http, names }) =>
    changeEach(context, method, http, {
      partition: named(names, 'partition'),
      account: named(names, 'account'),
      container: named(names, 'container'),
      object: named(names, 'object'),
    });

const OBJECT = '/:device/:partition/:account/:container/:object+';

const ON_EACH = '/:partition/:account/:container/:object+';

const time: Field = { shape: 'time', required: 'Missing timestamp' };

const READING: Fields = {
  range: 'range',
  'if-range': 'tags',
  'if-match': 'tags',
  'if-none-match': 'tags',
  'if-modified-since': 'date',
  'if-unmodified-since': 'date',
};

/** Those of the option `allowed_headers` are kept, too; these are its default. */
const KEPT: Fields = {
  'x-object-meta-*': 'text',
  'content-disposition': 'text',
  'content-encoding': 'text',
  'x-delete-at': 'time',
  'x-object-manifest': 'text',
};

const CONTAINER: Fields = {
  'x-container-host': 'text',
  'x-container-partition': 'text',
  'x-container-device': 'text',
};

const EXPIRY: Fields = {
  'x-delete-at-host': 'text',
  'x-delete-at-partition': 'text',
  'x-delete-at-device': 'text',
};

const REPLICA: Fields = { [REPLICATION_HEADER]: 'text' };

const DEVICES: Fields = { [EACH_DEVICES]: { shape: 'text', required: 'no devices' } };

const STORING: Fields = {
  'x-timestamp': time,
  'content-type': 'text',
  etag: 'text',
  'x-copy-from': 'text',
  ...KEPT,
  ...CONTAINER,
  ...EXPIRY,
  ...REPLICA,
};

const DELETING: Fields = {
  'x-timestamp': time,
  'x-if-delete-at': 'time',
  ...CONTAINER,
  ...EXPIRY,
  ...REPLICA,
};

const NOT_STORED = {
  408: 'the body does not come',
  411: 'no length, and not in chunks',
  413: 'too large',
  422: 'the bytes have another checksum than their ETag',
  499: 'the body breaks off',
} as const;

const NOT_READ = {
  304: 'unchanged',
  412: 'a condition that does not hold',
  416: 'a range that the object does not have',
} as const;

/** All that is asked of an object server. */
export const operations: readonly StorageOperation<ObjectRun>[] = [
  {
    name: 'GetObject',
    about: 'Sends an object, or a part of it.',
    method: 'GET',
    path: OBJECT,
    headers: { ...READING, 'x-auth-token': 'text', 'x-storage-token': 'text' },
    answers: [200, 206],
    refuses: NOT_READ,
    run: onObject(getObject),
  },
  {
    name: 'ShowObject',
    about: 'Tells the headers of an object.',
    method: 'HEAD',
    path: OBJECT,
    headers: READING,
    answers: [200, 206],
    refuses: NOT_READ,
    run: onObject(headObject),
  },
  {
    name: 'PutObject',
    about: 'Stores an object and tells its container.',
    method: 'PUT',
    path: OBJECT,
    headers: STORING,
    body: 'the bytes',
    answers: [201],
    refuses: NOT_STORED,
    run: onObject(putObject),
  },
  {
    name: 'UpdateObject',
    about: 'Replaces the metadata of an object.',
    method: 'POST',
    path: OBJECT,
    headers: { 'x-timestamp': time, ...KEPT, ...EXPIRY, ...REPLICA },
    answers: [202],
    run: onObject(postObject),
  },
  {
    name: 'DeleteObject',
    about: 'Deletes an object and tells its container; 202 where a newer one stays.',
    method: 'DELETE',
    path: OBJECT,
    headers: DELETING,
    answers: [204, 202],
    refuses: { 412: 'it does not end at X-If-Delete-At' },
    run: onObject(deleteObject),
  },
  {
    name: 'PutReplicas',
    about:
      'Stores an object on several devices, beyond swift: many PutObject with one body, their statuses, ETags and texts the answer.',
    method: EACH_METHODS.PUT,
    path: ON_EACH,
    headers: { ...STORING, ...DEVICES },
    body: 'the bytes',
    answers: [200],
    run: onEach('PUT'),
  },
  {
    name: 'DeleteReplicas',
    about: 'Deletes an object from several devices, beyond swift: many DeleteObject.',
    method: EACH_METHODS.DELETE,
    path: ON_EACH,
    headers: { ...DELETING, ...DEVICES },
    answers: [200],
    run: onEach('DELETE'),
  },
  {
    name: 'ReplicatePartition',
    about:
      'Tells the sums of the suffixes of a partition, those named (`aaa-bbb-…`) made anew; or, beyond swift, their files.',
    method: 'REPLICATE',
    path: '/:device/:partition/:suffixes*',
    headers: { [LISTING_HEADER]: 'flag' },
    answers: [200],
    run: (context, { http, names }) =>
      replicatePartition(context, http, {
        device: named(names, 'device'),
        partition: named(names, 'partition'),
        suffixes: names.suffixes,
      }),
  },
];
