import type { Extension } from '../http/extension.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/config_drive/api/v1.1';

export const extension: Extension = {
  alias: 'os-config-drive',
  name: 'ConfigDrive',
  namespace: NAMESPACE,
  updated: '2012-07-16T00:00:00+00:00',
  description: 'Config Drive Extension',
  server: (_deps, view, instance) => {
    view.config_drive = instance.config_drive ?? '';
  },
  xml: { server: { attributes: { config_drive: 'config_drive' } } },
};
