import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HTML_TYPE, json, nothing, plainJson } from '../answers.ts';
import { absoluteUrl, jsonBody, queryOf } from '../bodies.ts';
import { openDownload, sendDownload } from '../download.ts';
import { httpFault } from '../faults.ts';
import type { ImageMeta } from '../image.ts';
import type { ApiParts } from '../parts.ts';
import { headersFromMeta } from './headers.ts';
import { imageRequest } from './image-request.ts';
import { create, detail, downloadable, list, remove, show, shown, update } from './images.ts';
import { addMember, deleteMember, members, replaceMembers, sharedImages } from './members.ts';
import { listParams } from './validation.ts';

/** glance-api version 1. Every path also takes a format suffix, which changes nothing. */
export function v1Routes(server: FastifyInstance, parts: ApiParts): void {
  const indexHandler = async (request: FastifyRequest, reply: FastifyReply) =>
    json(reply, { images: await list(parts, request.image, listParams(queryOf(request))) });
  const detailHandler = async (request: FastifyRequest, reply: FastifyReply) =>
    json(reply, { images: await detail(parts, request.image, listParams(queryOf(request))) });

  server.all('/v1/', indexHandler);
  for (const path of ['/v1/images', '/v1/images.:format']) server.get(path, indexHandler);
  for (const path of ['/v1/images/detail', '/v1/images/detail.:format']) server.get(path, detailHandler);
  // Folsom's router knows these pages of a browser application; there is nothing behind them.
  server.get('/v1/images/new', async () => {
    throw httpFault(404);
  });

  for (const path of ['/v1/images', '/v1/images.:format']) {
    server.post(path, { config: { stream: true } }, async (request, reply) => {
      const image = await create(parts, request.image, imageRequest(parts, request));
      reply.code(201);
      return imageAnswer(request, reply, image);
    });
  }

  server.put('/v1/images/:id', { config: { stream: true } }, async (request, reply) => {
    const image = await update(parts, request.image, idOf(request), imageRequest(parts, request));
    return imageAnswer(request, reply, image);
  });

  server.head('/v1/images/:id', async (request, reply) => {
    const image = await show(parts, request.image, idOf(request));
    for (const [name, value] of Object.entries(headersFromMeta(image))) reply.header(name, value);
    describe(request, reply, image);
    return reply.header('content-type', HTML_TYPE).header('content-length', '0').send();
  });

  server.get('/v1/images/:id', async (request, reply) => {
    const id = idOf(request);
    const image = await downloadable(parts, request.image, id);
    const download = {
      imageId: id,
      ownerId: image.owner,
      location: image.location,
      size: image.size,
      checksum: image.checksum,
    };
    if (image.size === 0 && !image.location) {
      for (const [name, value] of Object.entries(headersFromMeta(image))) reply.header(name, value);
      describe(request, reply, image);
      return reply.header('content-type', 'application/octet-stream').send('');
    }
    const opened = await openDownload(parts, request, download);
    const size = opened.size ?? image.size;
    describe(request, reply, image);
    return sendDownload(parts, request, reply, download, opened, {
      'Content-Type': 'application/octet-stream',
      ...headersFromMeta({ ...image, size }),
    });
  });

  server.delete('/v1/images/:id', async (request, reply) => {
    await remove(parts, request.image, idOf(request));
    return json(reply, null);
  });

  server.get('/v1/images/:id/members', async (request, reply) =>
    json(reply, { members: await members(parts, request.image, idOf(request)) }),
  );
  server.put('/v1/images/:id/members', async (request, reply) => {
    await replaceMembers(parts, request.image, idOf(request), jsonBody(request));
    return nothing(reply);
  });
  server.put('/v1/images/:id/members/:member', async (request, reply) => {
    await addMember(parts, request.image, idOf(request), memberOf(request), jsonBody(request));
    return nothing(reply);
  });
  server.delete('/v1/images/:id/members/:member', async (request, reply) => {
    await deleteMember(parts, request.image, idOf(request), memberOf(request));
    return nothing(reply);
  });
  for (const method of ['GET', 'POST'] as const) {
    server.route({
      method,
      url: method === 'GET' ? '/v1/images/:id/members/:member' : '/v1/images/:id/members',
      handler: async () => {
        throw httpFault(405);
      },
    });
  }
  server.all('/v1/shared-images/:id', async (request, reply) =>
    json(reply, { shared_images: await sharedImages(parts, request.image, idOf(request)) }),
  );

  const imageAnswer = (request: FastifyRequest, reply: FastifyReply, image: ImageMeta) => {
    describe(request, reply, image);
    return reply.header('content-type', 'application/json').send(plainJson({ image: shown(image) }));
  };
}

/** Members keep their dots: a tenant may be named with one. */
const memberOf = (request: FastifyRequest): string => (request.params as { member: string }).member;

/** The id without a format suffix. */
const idOf = (request: FastifyRequest): string => {
  const { id } = request.params as { id: string };
  if (id === '') throw httpFault(404);
  const dot = id.indexOf('.');
  return dot > 0 ? id.slice(0, dot) : id;
};

function describe(request: FastifyRequest, reply: FastifyReply, image: ImageMeta): void {
  reply.header('location', absoluteUrl(request, `/v1/images/${encodeURIComponent(image.id)}`));
  if (image.checksum !== null) reply.header('etag', image.checksum.replace(/[^\x20-\x7e]/g, ' '));
}
