import type { FastifyInstance } from 'fastify';
import { json } from '../answers.ts';
import type { ApiParts } from '../parts.ts';
import { enforce } from '../policy.ts';
import type { ImageCache } from './cache.ts';

/** Cache management under /v1, for those the policy allows `manage_image_cache`. */
export function cacheRoutes(server: FastifyInstance, parts: ApiParts, cache: ImageCache): void {
  const answer = (
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    work: (imageId: string) => Promise<unknown>,
  ) =>
    server.route({
      method,
      url: `/v1${path}`,
      handler: async (request, reply) => {
        enforce(parts.policy, request.image, 'manage_image_cache');
        const { image_id = '' } = request.params as { image_id?: string };
        const result = await work(image_id);
        return json(reply, result ?? null);
      },
    });

  answer('GET', '/cached_images', async () => ({ cached_images: await cache.list() }));
  answer('DELETE', '/cached_images', async () => ({ num_deleted: await cache.removeAll() }));
  answer('DELETE', '/cached_images/:image_id', async imageId => {
    await cache.remove(imageId);
  });
  answer('GET', '/queued_images', async () => ({ queued_images: await cache.queued() }));
  answer('PUT', '/queued_images/:image_id', async imageId => {
    await cache.enqueue(imageId);
  });
  answer('DELETE', '/queued_images', async () => ({ num_deleted: await cache.dequeueAll() }));
  answer('DELETE', '/queued_images/:image_id', async imageId => {
    await cache.dequeue(imageId);
  });
}
