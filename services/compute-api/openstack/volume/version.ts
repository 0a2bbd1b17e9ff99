import type { ApiVersion } from '../core/versions.ts';

/** The volume API, as its documents name it. */
export const VOLUME_VERSION: ApiVersion = {
  id: 'v1.0',
  updated: '2012-01-04T11:33:21Z',
  mounts: ['v1'],
  mediaTypes: [
    { base: 'application/xml', type: 'application/vnd.openstack.volume+xml;version=1' },
    { base: 'application/json', type: 'application/vnd.openstack.volume+json;version=1' },
  ],
  guide: 'http://jorgew.github.com/block-storage-api/content/os-block-storage-1.0.pdf',
  wadl: 'http://docs.rackspacecloud.com/servers/api/v1.1/application.wadl',
};
