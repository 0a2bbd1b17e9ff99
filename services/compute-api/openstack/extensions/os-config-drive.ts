import { attribute } from '@folsom/wire/view';
import Type from 'typebox';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { scalarText } from '../http/values.ts';
import { present } from '../http/xml.ts';

/** On, made from an image of that id, or none. */
const configDrive = readBy((value): string | true | null => {
  if (value === true) return true;
  if (!value) return null;
  const text = scalarText(value);
  if (text === undefined || text.length > NAME_CHARS_MAX) throw badRequest('Invalid config_drive provided.');
  return text === '1' && typeof value === 'number' ? true : text;
});

/** A disk with the metadata of the server. */
export const extension: Extension = {
  alias: 'os-config-drive',
  name: 'ConfigDrive',
  namespace: 'http://docs.openstack.org/compute/ext/config_drive/api/v1.1',
  updated: '2012-07-16T00:00:00+00:00',
  description: 'Config Drive Extension',
  attributes: serverAttributes({
    shape: { config_drive: Type.Optional(configDrive) },
    readBoot: server => ({ configDrive: server.config_drive ?? null }),
    readXml: node => present(node, ['config_drive']),
  }),
  server: { config_drive: attribute(instance => instance.config_drive ?? '') },
};
