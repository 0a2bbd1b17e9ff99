import {
  batchOperation,
  type ContainerDb,
  type DbOperation,
  LISTING_FIELDS,
  replicateOperation,
} from '@folsom/container-db';
import type { Field, Fields } from '@folsom/swift';
import { deleteContainer, listObjects, postContainer, putContainer, showContainer } from './container.ts';
import type { ContainerContext } from './context.ts';
import { rowOf, takeObject } from './object-rows.ts';
import { takeUpdates } from './updates.ts';

/** What is kept with a container besides its metadata. */
export const SAVED_HEADERS = [
  'x-container-read',
  'x-container-write',
  'x-container-sync-key',
  'x-container-sync-to',
] as const;
/** This, too, where versions are allowed. */
export const VERSIONS_HEADER = 'x-versions-location';

const CONTAINER = '/:device/:partition/:account/:container';
const OBJECT = `${CONTAINER}/:object+`;

const time: Field = { shape: 'seconds', required: 'Missing timestamp' };
const timeOfPost: Field = { shape: 'seconds', required: 'Missing or bad timestamp' };
const NO_STATISTICS = 'Missing object statistics';

const METADATA: Fields = {
  'x-container-meta-*': 'text',
  ...Object.fromEntries([...SAVED_HEADERS, VERSIONS_HEADER].map(name => [name, 'text'])),
};

/** Which account server is told, and whether that counts although the account is deleted. */
const TOLD: Fields = {
  'x-account-host': 'text',
  'x-account-partition': 'text',
  'x-account-device': 'text',
  'x-account-override-deleted': 'text',
};

/** All that is asked of a container server. */
export const operations: readonly DbOperation<ContainerContext, ContainerDb>[] = [
  {
    name: 'ListObjects',
    about: 'Lists the objects of a container, with its numbers and metadata.',
    method: 'GET',
    path: `${CONTAINER}/:object*`,
    query: LISTING_FIELDS.container,
    headers: { accept: 'text' },
    answers: [200, 204],
    refuses: { 412: 'a delimiter or a limit that cannot be' },
    run: listObjects,
  },
  {
    name: 'ShowContainer',
    about: 'Tells the numbers and metadata of a container.',
    method: 'HEAD',
    path: `${CONTAINER}/:object*`,
    answers: [204],
    run: showContainer,
  },
  {
    name: 'PutContainer',
    about: 'Makes a container, or changes its metadata, and tells its account.',
    method: 'PUT',
    path: CONTAINER,
    headers: { 'x-timestamp': time, ...METADATA, ...TOLD },
    answers: [201, 202],
    refuses: { 409: 'deleted later' },
    run: putContainer,
  },
  {
    name: 'PutObject',
    about: 'Notes an object, as its own server tells it.',
    method: 'PUT',
    path: OBJECT,
    headers: {
      'x-timestamp': time,
      'x-size': { shape: 'size', required: NO_STATISTICS },
      'x-content-type': { shape: 'text', required: NO_STATISTICS },
      'x-etag': { shape: 'text', required: NO_STATISTICS },
    },
    answers: [201],
    run: takeObject,
  },
  {
    name: 'UpdateContainer',
    about: 'Changes the metadata of a container.',
    method: 'POST',
    path: CONTAINER,
    headers: { 'x-timestamp': timeOfPost, ...METADATA },
    answers: [204],
    run: postContainer,
  },
  {
    name: 'DeleteContainer',
    about: 'Marks an empty container as deleted, and tells its account.',
    method: 'DELETE',
    path: CONTAINER,
    headers: { 'x-timestamp': time, ...TOLD },
    answers: [204],
    refuses: { 409: 'there are objects in it, or it was made later' },
    run: deleteContainer,
  },
  {
    name: 'DeleteObject',
    about: 'Notes that an object is gone.',
    method: 'DELETE',
    path: OBJECT,
    headers: { 'x-timestamp': time },
    answers: [204],
    run: takeObject,
  },
  replicateOperation(),
  batchOperation((context, requests) => takeUpdates(requests, request => rowOf(context, request)), {
    name: 'NoteObjects',
    about:
      'Notes many objects at once, beyond swift: several PutObject and DeleteObject; their statuses are the answer.',
  }),
];
