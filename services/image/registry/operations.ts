import { answer, unchecked } from '@folsom/http/operation';
import Type from 'typebox';
import { isStatus } from '../image.ts';
import { listBytes } from '../kept-lists.ts';
import { type ImageCaller, registryOperation as operation } from '../operation.ts';
import { imageId } from '../shapes.ts';
import {
  registryCreate,
  registryDelete,
  registryDetail,
  registryList,
  registryShow,
  registryUpdate,
} from './images.ts';
import {
  memberBody,
  membershipsBody,
  registryAddMember,
  registryDeleteMember,
  registryMembers,
  registryReplaceMembers,
  registrySharedImages,
} from './members.ts';
import { registryQueryShape } from './query.ts';
import type { UpdateOptions } from './registry.ts';
import { EXPECTED_STATUS_HEADER, WITHOUT_LOCATION_HEADER } from './remote.ts';

const onImage = Type.Object({ id: imageId });
const imageBody = unchecked(Type.Object({ image: Type.Object({}) }));

const listed = operation({
  name: 'registry_list_images',
  about: 'Images, in brief.',
  method: 'GET',
  path: '/images',
  policy: null,
  query: registryQueryShape,
  answers: 200,
  throws: ['InvalidQuery', 'InvalidMarker'],
  run: async ({ domain, context: { image }, query }) =>
    answer({
      bytes: await listBytes(domain.db, image, ['registry', query], async () => ({
        images: await registryList(domain, image, query),
      })),
    }),
});

const images = [
  { ...listed, name: 'registry_root', method: 'ANY' as const, path: '/' },
  listed,
  operation({
    name: 'registry_detail_images',
    about: 'Images with everything known about them.',
    method: 'GET',
    path: '/images/detail',
    policy: null,
    query: registryQueryShape,
    answers: 200,
    throws: ['InvalidQuery', 'InvalidMarker'],
    run: async ({ domain, context: { image }, query }) =>
      answer({
        bytes: await listBytes(domain.db, image, ['registry detail', query], async () => ({
          images: await registryDetail(domain, image, query),
        })),
      }),
  }),
  operation({
    name: 'registry_create_image',
    about: 'Notes a new image.',
    method: 'POST',
    path: '/images',
    policy: null,
    body: imageBody,
    bodyRequired: false,
    answers: 200,
    throws: ['InvalidImage', 'ImageExists'],
    run: async ({ domain, context, body }) => ({ image: await registryCreate(domain, context.image, body) }),
  }),
  operation({
    name: 'registry_show_image',
    about: 'One image.',
    method: 'GET',
    path: '/images/:id',
    params: onImage,
    policy: null,
    answers: 200,
    throws: ['ImageNotFound'],
    run: async ({ domain, context, params }) => ({
      image: await registryShow(domain, context.image, params.id),
    }),
  }),
  operation({
    name: 'registry_update_image',
    about: 'Changes what is known about an image.',
    method: 'PUT',
    path: '/images/:id',
    params: onImage,
    policy: null,
    body: imageBody,
    bodyRequired: false,
    answers: 200,
    throws: ['InvalidImage', 'InvalidStatus', 'ImageNotFound', 'ImageForbidden', 'ImageChanged'],
    run: async ({ domain, context, params, body }) => ({
      image: await registryUpdate(domain, context.image, params.id, body, conditions(context.request)),
    }),
  }),
  operation({
    name: 'registry_delete_image',
    about: 'Marks an image deleted.',
    method: 'DELETE',
    path: '/images/:id',
    params: onImage,
    policy: null,
    answers: 200,
    throws: ['ImageNotFound', 'ImageForbidden'],
    run: async ({ domain, context, params }) => ({
      image: (await registryDelete(domain, context.image, params.id)).after,
    }),
  }),
];

const onMember = Type.Object({ id: imageId, member: Type.String() });
const imageMembers = [
  operation({
    name: 'registry_list_members',
    about: 'The tenants that an image is shared with.',
    method: 'GET',
    path: '/images/:id/members',
    params: onImage,
    policy: null,
    answers: 200,
    throws: ['ImageNotFound'],
    run: async ({ domain, context, params }) => ({
      members: await registryMembers(domain, context.image, params.id),
    }),
  }),
  operation({
    name: 'registry_replace_members',
    about: 'Shares an image with these tenants and no others.',
    method: 'PUT',
    path: '/images/:id/members',
    params: onImage,
    policy: null,
    body: unchecked(membershipsBody),
    bodyRequired: false,
    answers: 204,
    throws: ['ImageNotFound', 'NotAuthenticated', 'NotSharable', 'InvalidMembership'],
    run: async ({ domain, context, params, body }) => {
      await registryReplaceMembers(domain, context.image, params.id, body);
      return undefined;
    },
  }),
  operation({
    name: 'registry_add_member',
    about: 'Shares an image with a tenant.',
    method: 'PUT',
    path: '/images/:id/members/:member',
    params: onMember,
    policy: null,
    body: unchecked(memberBody),
    bodyRequired: false,
    answers: 204,
    throws: ['ImageNotFound', 'NotAuthenticated', 'NotSharable', 'InvalidMembership'],
    run: async ({ domain, context, params, body }) => {
      await registryAddMember(domain, context.image, params.id, params.member, body);
      return undefined;
    },
  }),
  operation({
    name: 'registry_delete_member',
    about: 'Shares an image no longer with a tenant.',
    method: 'DELETE',
    path: '/images/:id/members/:member',
    params: onMember,
    policy: null,
    answers: 204,
    throws: ['ImageNotFound', 'NotAuthenticated', 'NotSharable', 'MemberNotFound'],
    run: async ({ domain, context, params }) => {
      await registryDeleteMember(domain, context.image, params.id, params.member);
      return undefined;
    },
  }),
  operation({
    name: 'registry_shared_images',
    about: 'The images that are shared with a tenant.',
    method: 'ANY',
    path: '/shared-images/:id',
    params: onImage,
    policy: null,
    answers: 200,
    run: async ({ domain, context, params }) => ({
      shared_images: await registrySharedImages(domain, context.image, params.id),
    }),
  }),
];

export const registryOperations = [...images, ...imageMembers];

/** The conditions of an update, which stand in headers; ours are more than the original's. */
function conditions({ headers }: ImageCaller['request']): UpdateOptions {
  const expected = headers[EXPECTED_STATUS_HEADER];
  const from = typeof expected === 'string' ? expected.split(',').filter(isStatus) : undefined;
  return {
    purgeProperties: headers['x-glance-registry-purge-props'] === 'true',
    ...(from ? { from } : {}),
    ...(headers[WITHOUT_LOCATION_HEADER] === 'true' ? { withoutLocation: true } : {}),
  };
}
