import type { Extension } from '../../http/api.ts';

/** Where it is loaded, `imageRef` in the body of a new volume is heard. */
export const extension: Extension = {
  alias: 'os-image-create',
  name: 'CreateVolumeExtension',
  namespace: 'http://docs.openstack.org/volume/ext/image-create/api/v1',
  updated: '2012-08-13T00:00:00+00:00',
  description: 'Allow creating a volume from an image in the Create Volume v1 API',
};
