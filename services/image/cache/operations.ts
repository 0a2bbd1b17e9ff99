import { answer } from '@folsom/http/operation';
import { v1Operation as operation } from '../operation.ts';
import type { ApiParts } from '../parts.ts';
import type { ImageCache } from './cache.ts';

const cacheOf = ({ cache }: ApiParts): ImageCache => {
  if (!cache) throw new Error('the operations of the cache are served only where there is one');
  return cache;
};

const shared = { policy: 'manage_image_cache', answers: 200 } as const;
const done = () => answer({ bytes: 'null' });

/** Cache management below version 1. */
export const cacheOperations = [
  operation({
    name: 'list_cached_images',
    about: 'The images in the cache.',
    method: 'GET',
    path: '/cached_images',
    ...shared,
    run: async ({ domain }) => ({ cached_images: await cacheOf(domain).list() }),
  }),
  operation({
    name: 'delete_cached_images',
    about: 'Empties the cache.',
    method: 'DELETE',
    path: '/cached_images',
    ...shared,
    run: async ({ domain }) => ({ num_deleted: await cacheOf(domain).removeAll() }),
  }),
  operation({
    name: 'delete_cached_image',
    about: 'Takes an image out of the cache.',
    method: 'DELETE',
    path: '/cached_images/:image_id',
    ...shared,
    run: async ({ domain, params }) => {
      await cacheOf(domain).remove(params.image_id);
      return done();
    },
  }),
  operation({
    name: 'list_queued_images',
    about: 'The images that wait to be fetched into the cache.',
    method: 'GET',
    path: '/queued_images',
    ...shared,
    run: async ({ domain }) => ({ queued_images: await cacheOf(domain).queued() }),
  }),
  operation({
    name: 'queue_image',
    about: 'Has an image fetched into the cache.',
    method: 'PUT',
    path: '/queued_images/:image_id',
    ...shared,
    run: async ({ domain, params }) => {
      await cacheOf(domain).enqueue(params.image_id);
      return done();
    },
  }),
  operation({
    name: 'delete_queued_images',
    about: 'Lets no image wait any longer.',
    method: 'DELETE',
    path: '/queued_images',
    ...shared,
    run: async ({ domain }) => ({ num_deleted: await cacheOf(domain).dequeueAll() }),
  }),
  operation({
    name: 'delete_queued_image',
    about: 'Lets an image wait no longer.',
    method: 'DELETE',
    path: '/queued_images/:image_id',
    ...shared,
    run: async ({ domain, params }) => {
      await cacheOf(domain).dequeue(params.image_id);
      return done();
    },
  }),
];
