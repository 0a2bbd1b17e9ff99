import { child } from '@folsom/wire';
import Type from 'typebox';
import { decodeBase64 } from '../../domain/base64.ts';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { readBy } from '../http/shapes.ts';

const userData = readBy((value): string | null => {
  if (value == null || value === '') return null;
  if (typeof value !== 'string' || decodeBase64(value) === undefined) {
    throw badRequest('Userdata content cannot be decoded');
  }
  return value;
}, 'Base64 of what the guest is given.');

/** Lets a boot carry user data. */
export const extension: Extension = {
  alias: 'os-user-data',
  name: 'UserData',
  namespace: 'http://docs.openstack.org/compute/ext/userdata/api/v1.1',
  updated: '2012-08-07T00:00:00+00:00',
  description: 'Add user_data to the Create Server v1.1 API',
  attributes: serverAttributes({
    shape: { user_data: Type.Optional(userData) },
    readBoot: server => ({ userData: server.user_data ?? null }),
    readXml: node => {
      const element = child(node, 'user_data');
      return element ? { user_data: element.text } : {};
    },
  }),
};
