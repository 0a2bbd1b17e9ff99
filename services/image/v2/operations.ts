import { Readable } from 'node:stream';
import { answer, mediaTypeOf, stream, unchecked } from '@folsom/http/operation';
import Type from 'typebox';
import { absoluteUrl, bodyStream, contentLength, queryOf } from '../bodies.ts';
import type { ImageContext } from '../context.ts';
import { openDownload, sendDownload } from '../download.ts';
import { imageFault } from '../faults.ts';
import { listBytes } from '../kept-lists.ts';
import { v2Operation as operation } from '../operation.ts';
import { requireWritable } from '../policy.ts';
import { visibleImage } from '../registry/images.ts';
import { addTag, removeTag } from '../repository/tags.ts';
import { imageId } from '../shapes.ts';
import { isMutable } from '../visibility.ts';
import { downloadableV2, uploadV2 } from './data.ts';
import { createV2, deleteV2, listV2, showV2, updateV2 } from './images.ts';
import { listShape } from './listing.ts';
import type { V2Api } from './parts.ts';
import { LATER_PATCH_MEDIA_TYPE, PATCH_MEDIA_TYPE } from './patch.ts';

const TAG_CHARS_MAX = 255;
const onImage = Type.Object({ id: imageId });

/** The schema of the operator's own making, which `GET /schemas/image` shows, checks the values. */
const imageBody = Type.Object({}, { description: 'An image as /v2/schemas/image describes it.' });
const patchBody = Type.Array(Type.Object({}), {
  description:
    'Changes: {"replace": "/name", "value": …}; in the later form {"op": …, "path": …, "value": …}.',
});

/** The media types of an operation's body: the later form of a PATCH is the operator's to allow. */
export const v2Types =
  ({ complete_v2_api }: V2Api['settings']) =>
  ({ types }: { types?: readonly string[] }): readonly string[] | undefined =>
    complete_v2_api ? types : types?.filter(type => type !== LATER_PATCH_MEDIA_TYPE);

const schemas = [
  operation({
    name: 'v2_image_schema',
    about: 'What an image is.',
    method: 'GET',
    path: '/schemas/image',
    policy: null,
    answers: 200,
    run: ({ domain }) => domain.schema.raw,
  }),
  operation({
    name: 'v2_images_schema',
    about: 'What a list of images is.',
    method: 'GET',
    path: '/schemas/images',
    policy: null,
    answers: 200,
    run: ({ domain }) => domain.schema.collection,
  }),
];

const images = [
  operation({
    name: 'v2_list_images',
    about: 'Images, a page at a time.',
    method: 'GET',
    path: '/images',
    policy: 'get_images',
    query: listShape,
    answers: 200,
    throws: ['InvalidQuery', 'InvalidMarker'],
    run: async ({ domain, context: { image, request }, query: wanted }) => {
      const query = queryOf(request);
      const page = async () => {
        const { images: listed, next } = await listV2(domain, domain.schema, image, wanted);
        const first = pageQuery(query, null);
        return {
          images: listed,
          ...(next === null ? {} : { next: `/v2/images?${pageQuery(query, next)}` }),
          schema: '/v2/schemas/images',
          first: `/v2/images${first === '' ? '' : `?${first}`}`,
        };
      };
      return answer({ bytes: await listBytes(domain.db, image, ['v2', query.toString()], page) });
    },
  }),
  operation({
    name: 'v2_create_image',
    about: 'Makes an image without bytes.',
    method: 'POST',
    path: '/images',
    policy: 'add_image',
    body: unchecked(imageBody),
    answers: 201,
    throws: ['InvalidImage', 'AttributeForbidden', 'ImageExists', 'ImageNotFound'],
    run: async ({ domain, context: { image, request }, body }) => {
      const made = await createV2(domain, domain.schema, image, body);
      return answer({ document: made, headers: { location: absoluteUrl(request, made.self) } });
    },
  }),
  operation({
    name: 'v2_show_image',
    about: 'One image.',
    method: 'GET',
    path: '/images/:id',
    params: onImage,
    policy: 'get_image',
    answers: 200,
    throws: ['ImageNotFound'],
    run: ({ domain, context, params }) => showV2(domain, domain.schema, context.image, params.id),
  }),
  operation({
    name: 'v2_update_image',
    about: 'Changes an image.',
    method: 'PATCH',
    path: '/images/:id',
    params: onImage,
    policy: 'modify_image',
    types: [PATCH_MEDIA_TYPE, LATER_PATCH_MEDIA_TYPE],
    body: unchecked(patchBody),
    answers: 200,
    throws: ['InvalidPatch', 'InvalidImage', 'AttributeForbidden', 'PatchConflict', 'ImageNotFound'],
    run: ({ domain, context: { image, request }, params, body }) => {
      const later = mediaTypeOf(request) === LATER_PATCH_MEDIA_TYPE;
      return updateV2(domain, domain.schema, image, params.id, body, later);
    },
  }),
  operation({
    name: 'v2_delete_image',
    about: 'Deletes an image.',
    method: 'DELETE',
    path: '/images/:id',
    params: onImage,
    policy: 'delete_image',
    answers: 204,
    throws: ['ImageNotFound', 'ImageProtected'],
    run: async ({ domain, context, params }) => {
      await deleteV2(domain, context.image, params.id);
      return undefined;
    },
  }),
];

const files = [
  operation({
    name: 'v2_download_image',
    about: 'The bytes of an image.',
    method: 'GET',
    path: '/images/:id/file',
    params: onImage,
    policy: 'download_image',
    answers: 200,
    throws: ['ImageNotFound', 'ImageDataNotFound', 'StoreUnavailable'],
    run: async ({ domain, context: { image: caller, request }, params }) => {
      const image = await downloadableV2(domain, caller, params.id);
      const opened = await openDownload(domain, request, image);
      return answer({
        send: reply =>
          sendDownload(domain, request, reply, image, opened, {
            'Content-Type': 'application/octet-stream',
            ...(image.checksum === null
              ? {}
              : { 'Content-MD5': image.checksum.replace(/[^\x20-\x7e]/g, ' ') }),
          }),
      });
    },
  }),
  operation({
    name: 'v2_upload_image',
    about: 'Brings the bytes of an image.',
    method: 'PUT',
    path: '/images/:id/file',
    params: onImage,
    policy: null,
    types: ['application/octet-stream'],
    body: stream(),
    answers: 201,
    throws: [
      'ImageNotFound',
      'ImageForbidden',
      'ImageGone',
      'DuplicateImageData',
      'UploadUnderWay',
      'ImageSizeLimitExceeded',
      'StorageFull',
      'StorageWriteDenied',
      'StoreUnavailable',
    ],
    run: async ({ domain, context: { image, request }, params }) => {
      const data = bodyStream(request) ?? Readable.from([]);
      await uploadV2(domain, image, params.id, data, contentLength(request));
      return undefined;
    },
  }),
];

/** Whether the caller may give this image that tag. @throws 400, Http404 */
async function assertTaggable(
  domain: V2Api,
  context: ImageContext,
  { id, tag }: { id: string; tag: string },
): Promise<void> {
  requireWritable(context);
  const image = await visibleImage(domain, context, id);
  if (!image || image.deleted || !isMutable(context, image)) throw imageFault('ImageNotFound');
  if (tag === '' || tag.length > TAG_CHARS_MAX)
    throw imageFault('InvalidTag', { explanation: 'Image tag too long.' });
}

const tags = [
  operation({
    name: 'v2_add_tag',
    about: 'Gives an image a tag.',
    method: 'PUT',
    path: '/images/:id/tags/:tag',
    policy: null,
    answers: 204,
    throws: ['ImageNotFound', 'InvalidTag'],
    run: async ({ domain, context, params }) => {
      await assertTaggable(domain, context.image, params);
      await addTag(domain.db, params.id, params.tag, domain.world.clock.now());
      return undefined;
    },
  }),
  operation({
    name: 'v2_remove_tag',
    about: 'Takes a tag away.',
    method: 'DELETE',
    path: '/images/:id/tags/:tag',
    policy: null,
    answers: 204,
    throws: ['ImageNotFound', 'InvalidTag', 'TagNotFound'],
    run: async ({ domain, context, params }) => {
      await assertTaggable(domain, context.image, params);
      const removed = await removeTag(domain.db, params.id, params.tag, domain.world.clock.now());
      if (!removed) throw imageFault('TagNotFound');
      return undefined;
    },
  }),
];

/** glance-api version 2. */
export const v2Operations = [...schemas, ...images, ...files, ...tags];

/** The query of a page's link: the marker first, then what was asked for. */
function pageQuery(query: URLSearchParams, marker: string | null): string {
  const out = new URLSearchParams();
  if (marker !== null) out.set('marker', marker);
  for (const [name, value] of query) if (name !== 'marker') out.set(name, value);
  return out.toString();
}
