import type { ReferencePart } from '@folsom/http/operation';
import { cacheOperations } from './cache/operations.ts';
import { imageStatusOf } from './faults.ts';
import { registryOperations } from './registry/operations.ts';
import { v1Operations } from './v1/operations.ts';
import { v2Operations } from './v2/operations.ts';

/** What the image service offers, for the reference page. */
export const imageReference: readonly ReferencePart[] = [
  {
    title: 'Images, version 1',
    about:
      'glance-api on port 9292. An image is described by headers `x-image-meta-*`, its properties by `x-image-meta-property-*`. ' +
      'Rules are those of policy.json.',
    prefix: '/v1',
    operations: v1Operations,
    statusOf: imageStatusOf,
  },
  {
    title: 'Images, version 1: the cache',
    about: 'Served where a pipeline has `cachemanagement`.',
    prefix: '/v1',
    operations: cacheOperations,
    statusOf: imageStatusOf,
  },
  {
    title: 'Images, version 2',
    about: 'glance-api on port 9292. An image is a JSON document that its schema describes.',
    prefix: '/v2',
    operations: v2Operations,
    statusOf: imageStatusOf,
  },
  {
    title: 'Image registry',
    about: 'glance-registry on port 9191, for glance-api.',
    prefix: '',
    operations: registryOperations,
    statusOf: imageStatusOf,
  },
];
