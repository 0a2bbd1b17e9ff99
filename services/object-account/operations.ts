import { type AccountDb, type DbOperation, LISTING_FIELDS, replicateOperation } from '@folsom/container-db';
import type { Field } from '@folsom/swift';
import {
  type AccountContext,
  deleteAccount,
  listContainers,
  postAccount,
  putAccount,
  putContainer,
  showAccount,
} from './account.ts';

const ACCOUNT = '/:device/:partition/:account';

const time: Field = { shape: 'seconds', required: 'Missing timestamp' };
const timeOfPost: Field = { shape: 'seconds', required: 'Missing or bad timestamp' };
const NO_STATISTICS = 'Missing container statistics';

/** All that is asked of an account server. */
export const operations: readonly DbOperation<AccountContext, AccountDb>[] = [
  {
    name: 'ListContainers',
    about: 'Lists the containers of an account, with its numbers and metadata.',
    method: 'GET',
    path: ACCOUNT,
    query: LISTING_FIELDS.account,
    headers: { accept: 'text' },
    answers: [200, 204],
    refuses: { 412: 'a delimiter or a limit that cannot be' },
    run: listContainers,
  },
  {
    name: 'ShowAccount',
    about:
      'Tells the numbers and metadata of an account, and since when it has the container that the path names.',
    method: 'HEAD',
    path: `${ACCOUNT}/:container?`,
    answers: [204],
    run: showAccount,
  },
  {
    name: 'PutAccount',
    about: 'Makes an account, changes its metadata, or takes its deletion back.',
    method: 'PUT',
    path: ACCOUNT,
    headers: { 'x-timestamp': time, 'x-account-meta-*': 'text', 'x-account-undelete': 'flag' },
    answers: [201, 202],
    refuses: { 403: 'deleted a short while ago', 409: 'deleted later, or being removed' },
    run: putAccount,
  },
  {
    name: 'PutContainer',
    about: 'Notes what is in a container, or that it is gone, as its own server tells it.',
    method: 'PUT',
    path: `${ACCOUNT}/:container`,
    headers: {
      'x-put-timestamp': { shape: 'seconds', required: NO_STATISTICS },
      'x-delete-timestamp': { shape: 'seconds', required: NO_STATISTICS },
      'x-object-count': { shape: 'sum', required: NO_STATISTICS },
      'x-bytes-used': { shape: 'sum', required: NO_STATISTICS },
      'x-account-override-deleted': 'text',
    },
    answers: [201, 204],
    run: putContainer,
  },
  {
    name: 'UpdateAccount',
    about: 'Changes the metadata of an account.',
    method: 'POST',
    path: ACCOUNT,
    headers: { 'x-timestamp': timeOfPost, 'x-account-meta-*': 'text' },
    answers: [204],
    run: postAccount,
  },
  {
    name: 'DeleteAccount',
    about: 'Marks an account as deleted; the reaper removes what is in it.',
    method: 'DELETE',
    path: ACCOUNT,
    headers: { 'x-timestamp': time },
    answers: [204],
    run: deleteAccount,
  },
  replicateOperation(),
];
