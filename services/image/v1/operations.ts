import { answer, stream, unchecked } from '@folsom/http/operation';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { absoluteUrl } from '../bodies.ts';
import { openDownload, sendDownload } from '../download.ts';
import { imageFault } from '../faults.ts';
import type { ImageMeta } from '../image.ts';
import { listBytes } from '../kept-lists.ts';
import { v1Operation as operation } from '../operation.ts';
import { imageIdWithSuffix } from '../shapes.ts';
import { headersFromMeta } from './headers.ts';
import { imageRequest } from './image-request.ts';
import { create, detail, downloadable, list, remove, show, shown, update } from './images.ts';
import { addMember, deleteMember, members, replaceMembers, sharedImages } from './members.ts';
import { listShape } from './validation.ts';

/*
 * glance-api version 1. Every path also takes a format suffix, which changes nothing. An image is described by the headers
 * `x-image-meta-*` (v1/headers.ts), with its bytes as the body.
 */

/** What is refused of an image that is looked at, of bytes that are brought, and of members. */
const seeing = ['ImageNotFound', 'ImageForbidden'] as const;
const bringing = [
  'InvalidImage',
  'InvalidLocation',
  'InvalidUpload',
  'UnknownStore',
  'DuplicateImageData',
  'ImageNotQueued',
  'UploadUnderWay',
  'UploadAborted',
  'ImageSizeLimitExceeded',
  'StorageFull',
  'StorageWriteDenied',
  'TooManyCopies',
] as const;
const sharing = [...seeing, 'NotAuthenticated', 'InvalidMembership', 'MemberNotFound'] as const;

const onImage = Type.Object({ id: imageIdWithSuffix });
/** Members keep their dots: a tenant may be named with one. */
const onMember = Type.Object({ id: imageIdWithSuffix, member: Type.String() });

const memberBody = Type.Object({ member: Type.Object({ can_share: Type.Optional(Type.Unknown()) }) });
const membershipsBody = Type.Object({
  memberships: Type.Array(
    Type.Object({ member_id: Type.String(), can_share: Type.Optional(Type.Unknown()) }),
  ),
});

const described = (request: FastifyRequest, image: ImageMeta): Record<string, string> => ({
  location: absoluteUrl(request, `/v1/images/${encodeURIComponent(image.id)}`),
  ...(image.checksum === null ? {} : { etag: image.checksum.replace(/[^\x20-\x7e]/g, ' ') }),
});

const imageAnswer = (request: FastifyRequest, image: ImageMeta) =>
  answer({
    document: { image: shown(image) },
    type: 'application/json',
    headers: described(request, image),
  });

const listImages = operation({
  name: 'v1_list_images',
  about: 'Images, in brief.',
  method: 'GET',
  path: '/images',
  aliases: ['/images.:format'],
  policy: 'get_images',
  query: listShape,
  answers: 200,
  throws: ['InvalidQuery'],
  run: async ({ domain, context: { image }, query }) =>
    answer({
      bytes: await listBytes(domain.registry, image, ['v1', query], async () => ({
        images: await list(domain, image, query),
      })),
    }),
});

const images = [
  { ...listImages, name: 'v1_root', method: 'ANY' as const, path: '/', aliases: [] },
  listImages,
  operation({
    name: 'v1_detail_images',
    about: 'Images with everything known about them.',
    method: 'GET',
    path: '/images/detail',
    aliases: ['/images/detail.:format'],
    policy: 'get_images',
    query: listShape,
    answers: 200,
    throws: ['InvalidQuery'],
    run: async ({ domain, context: { image }, query }) =>
      answer({
        bytes: await listBytes(domain.registry, image, ['v1 detail', query], async () => ({
          images: await detail(domain, image, query),
        })),
      }),
  }),
  operation({
    name: 'v1_new_image',
    about: "A page of a browser application that Folsom's router knows; there is nothing behind it.",
    method: 'GET',
    path: '/images/new',
    policy: null,
    answers: 404,
    throws: ['NothingThere'],
    run: () => {
      throw imageFault('NothingThere');
    },
  }),
  operation({
    name: 'v1_create_image',
    about: 'Makes an image, with or without its bytes.',
    method: 'POST',
    path: '/images',
    aliases: ['/images.:format'],
    policy: 'add_image',
    body: stream(),
    answers: 201,
    throws: [...bringing, 'ImageExists', 'ImageForbidden'],
    run: async ({ domain, context: { image, request } }) =>
      imageAnswer(request, await create(domain, image, imageRequest(domain, request))),
  }),
  operation({
    name: 'v1_update_image',
    about: 'Changes an image, or brings its bytes.',
    method: 'PUT',
    path: '/images/:id',
    params: onImage,
    policy: 'modify_image',
    body: stream(),
    answers: 200,
    throws: [...bringing, ...seeing, 'ImageDeleted'],
    run: async ({ domain, context: { image, request }, params }) =>
      imageAnswer(request, await update(domain, image, params.id, imageRequest(domain, request))),
  }),
  operation({
    name: 'v1_show_image',
    about: 'An image as headers.',
    method: 'HEAD',
    path: '/images/:id',
    params: onImage,
    policy: 'get_image',
    answers: 200,
    throws: seeing,
    run: async ({ domain, context, params }) => {
      const image = await show(domain, context.image, params.id);
      return answer({ headers: { ...headersFromMeta(image), ...described(context.request, image) } });
    },
  }),
  operation({
    name: 'v1_download_image',
    about: 'The bytes of an image, described by headers.',
    method: 'GET',
    path: '/images/:id',
    params: onImage,
    policy: 'get_image',
    answers: 200,
    throws: [...seeing, 'ImageNotActive', 'ImageDataNotFound', 'StoreUnavailable'],
    run: async ({ domain, context: { image: caller, request }, params: { id } }) => {
      const image = await downloadable(domain, caller, id);
      const headers = described(request, image);
      if (image.size === 0 && !image.location) {
        return answer({
          bytes: '',
          type: 'application/octet-stream',
          headers: { ...headersFromMeta(image), ...headers },
        });
      }
      const download = {
        imageId: id,
        ownerId: image.owner,
        location: image.location,
        size: image.size,
        checksum: image.checksum,
      };
      const opened = await openDownload(domain, request, download);
      const size = opened.size ?? image.size;
      return answer({
        headers,
        send: reply =>
          sendDownload(domain, request, reply, download, opened, {
            'Content-Type': 'application/octet-stream',
            ...headersFromMeta({ ...image, size }),
          }),
      });
    },
  }),
  operation({
    name: 'v1_delete_image',
    about: 'Deletes an image.',
    method: 'DELETE',
    path: '/images/:id',
    params: onImage,
    policy: 'delete_image',
    answers: 200,
    throws: [...seeing, 'ImageProtected', 'ImageDeleted'],
    run: async ({ domain, context, params }) => {
      await remove(domain, context.image, params.id);
      return answer({ bytes: 'null' });
    },
  }),
];

/** In Folsom's words the method is refused here, where other paths have none. */
const refused = (name: string, method: 'GET' | 'POST', path: string) =>
  operation({
    name,
    about: 'Not allowed.',
    method,
    path,
    policy: null,
    answers: 405,
    throws: ['MethodNotAllowed'],
    run: () => {
      throw imageFault('MethodNotAllowed');
    },
  });

const imageMembers = [
  operation({
    name: 'v1_list_members',
    about: 'The tenants that an image is shared with.',
    method: 'GET',
    path: '/images/:id/members',
    params: onImage,
    policy: null,
    answers: 200,
    throws: seeing,
    run: async ({ domain, context, params }) => ({
      members: await members(domain, context.image, params.id),
    }),
  }),
  operation({
    name: 'v1_replace_members',
    about: 'Shares an image with these tenants and no others.',
    method: 'PUT',
    path: '/images/:id/members',
    params: onImage,
    policy: null,
    body: unchecked(membershipsBody),
    bodyRequired: false,
    answers: 204,
    throws: sharing,
    run: async ({ domain, context, params, body }) => {
      await replaceMembers(domain, context.image, params.id, body);
      return undefined;
    },
  }),
  operation({
    name: 'v1_add_member',
    about: 'Shares an image with a tenant.',
    method: 'PUT',
    path: '/images/:id/members/:member',
    params: onMember,
    policy: null,
    body: unchecked(memberBody),
    bodyRequired: false,
    answers: 204,
    throws: sharing,
    run: async ({ domain, context, params, body }) => {
      await addMember(domain, context.image, params.id, params.member, body);
      return undefined;
    },
  }),
  operation({
    name: 'v1_delete_member',
    about: 'Shares an image no longer with a tenant.',
    method: 'DELETE',
    path: '/images/:id/members/:member',
    params: onMember,
    policy: null,
    answers: 204,
    throws: sharing,
    run: async ({ domain, context, params }) => {
      await deleteMember(domain, context.image, params.id, params.member);
      return undefined;
    },
  }),
  refused('v1_show_member', 'GET', '/images/:id/members/:member'),
  refused('v1_create_members', 'POST', '/images/:id/members'),
  operation({
    name: 'v1_shared_images',
    about: 'The images that are shared with a tenant.',
    method: 'ANY',
    path: '/shared-images/:id',
    params: onImage,
    policy: null,
    answers: 200,
    throws: ['NotAuthenticated', 'MemberNotFound'],
    run: async ({ domain, context, params }) => ({
      shared_images: await sharedImages(domain, context.image, params.id),
    }),
  }),
];

export const v1Operations = [...images, ...imageMembers];
