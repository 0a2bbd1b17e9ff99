import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { json, nothing } from '../answers.ts';
import { absoluteUrl, bodyStream, contentLength, jsonBody, queryOf } from '../bodies.ts';
import { openDownload, sendDownload } from '../download.ts';
import { httpFault } from '../faults.ts';
import { requireWritable } from '../policy.ts';
import { visibleImage } from '../registry/images.ts';
import { addTag, removeTag } from '../repository/tags.ts';
import { isMutable } from '../visibility.ts';
import { downloadableV2, uploadV2 } from './data.ts';
import { createV2, deleteV2, listV2, showV2, updateV2 } from './images.ts';
import type { V2Parts } from './parts.ts';
import { LATER_PATCH_MEDIA_TYPE, PATCH_MEDIA_TYPE } from './patch.ts';
import { imageSchema } from './schema.ts';

const TAG_CHARS_MAX = 255;

/** glance-api version 2. */
export function v2Routes(
  server: FastifyInstance,
  parts: V2Parts,
  customProperties: Record<string, unknown> | null,
): void {
  const schema = imageSchema(customProperties, parts.settings.allow_additional_image_properties);
  const patchTypes = [PATCH_MEDIA_TYPE, ...(parts.settings.complete_v2_api ? [LATER_PATCH_MEDIA_TYPE] : [])];
  const idOf = (request: FastifyRequest): string => {
    const { id } = request.params as { id: string };
    if (id === '') throw httpFault(404);
    return id;
  };

  server.get('/v2/schemas/image', async (_request, reply) => json(reply, schema.raw));
  server.get('/v2/schemas/images', async (_request, reply) => json(reply, schema.collection));

  server.get('/v2/images', async (request, reply) => {
    const query = queryOf(request);
    const { images, next } = await listV2(parts, schema, request.image, query);
    return json(reply, {
      images,
      ...(next === null ? {} : { next: `/v2/images?${pageQuery(query, next)}` }),
      schema: '/v2/schemas/images',
      first: `/v2/images${pageQuery(query, null) === '' ? '' : `?${pageQuery(query, null)}`}`,
    });
  });

  server.post('/v2/images', async (request, reply) => {
    const image = await createV2(parts, schema, request.image, jsonBody(request));
    reply.code(201).header('location', absoluteUrl(request, String(image.self)));
    return json(reply, image);
  });

  server.get('/v2/images/:id', async (request, reply) =>
    json(reply, await showV2(parts, schema, request.image, idOf(request))),
  );

  server.patch('/v2/images/:id', async (request, reply) => {
    const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (!type || !patchTypes.includes(type)) {
      throw httpFault(415, { headers: { 'Accept-Patch': patchTypes.join(', ') } });
    }
    const later = type === LATER_PATCH_MEDIA_TYPE;
    return json(reply, await updateV2(parts, schema, request.image, idOf(request), jsonBody(request), later));
  });

  server.delete('/v2/images/:id', async (request, reply) => {
    await deleteV2(parts, request.image, idOf(request));
    return nothing(reply);
  });

  server.get('/v2/images/:id/file', async (request, reply) => {
    const image = await downloadableV2(parts, request.image, idOf(request));
    const opened = await openDownload(parts, request, image);
    return sendDownload(parts, request, reply, image, opened, {
      'Content-Type': 'application/octet-stream',
      ...(image.checksum === null ? {} : { 'Content-MD5': image.checksum.replace(/[^\x20-\x7e]/g, ' ') }),
    });
  });

  server.put('/v2/images/:id/file', { config: { stream: true } }, async (request, reply) => {
    const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (type !== 'application/octet-stream') throw httpFault(415);
    const data = bodyStream(request) ?? Readable.from([]);
    await uploadV2(parts, request.image, idOf(request), data, contentLength(request));
    return nothing(reply, 201);
  });

  const taggable = async (request: FastifyRequest): Promise<{ id: string; tag: string }> => {
    requireWritable(request.image);
    const { id, tag } = request.params as { id: string; tag: string };
    const image = await visibleImage(parts, request.image, id);
    if (!image || image.deleted || !isMutable(request.image, image)) throw httpFault(404);
    if (tag === '' || tag.length > TAG_CHARS_MAX)
      throw httpFault(400, { explanation: 'Image tag too long.' });
    return { id, tag };
  };
  server.put('/v2/images/:id/tags/:tag', async (request, reply) => {
    const { id, tag } = await taggable(request);
    await addTag(parts.db, id, tag, parts.world.clock.now());
    return nothing(reply);
  });
  server.delete('/v2/images/:id/tags/:tag', async (request, reply) => {
    const { id, tag } = await taggable(request);
    const removed = await removeTag(parts.db, id, tag, parts.world.clock.now());
    if (!removed) throw httpFault(404);
    return nothing(reply);
  });
}

/** The query of a page's link: the marker first, then what was asked for. */
function pageQuery(query: URLSearchParams, marker: string | null): string {
  const out = new URLSearchParams();
  if (marker !== null) out.set('marker', marker);
  for (const [name, value] of query) if (name !== 'marker') out.set(name, value);
  return out.toString();
}
