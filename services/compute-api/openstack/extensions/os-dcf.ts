import { allowed } from '../../domain/policy.ts';
import type { CreatedAddition, Extension } from '../http/extension.ts';
import { boolFromString } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/disk_config/api/v1.1';

const KEY = 'OS-DCF:diskConfig';
const word = (auto: boolean): string => (auto ? 'AUTO' : 'MANUAL');

const show: CreatedAddition = (_deps, view, instance) => {
  view[KEY] = word(instance.auto_disk_config === true);
};

export const extension: Extension = {
  alias: 'OS-DCF',
  name: 'DiskConfig',
  namespace: NAMESPACE,
  updated: '2011-09-27T00:00:00+00:00',
  description: 'Disk Management Extension',
  seesServers: api => allowed(api.deps, api.context, 'compute_extension:disk_config'),
  server: show,
  serverCreated: show,
  image: (api, view, image) => {
    const value = image.properties.auto_disk_config;
    if (value === undefined || !allowed(api.deps, api.context, 'compute_extension:disk_config')) return;
    view[KEY] = word(boolFromString(value));
  },
  xml: {
    server: { namespaces: { 'OS-DCF': NAMESPACE }, attributes: { [KEY]: KEY } },
    image: { namespaces: { 'OS-DCF': NAMESPACE }, attributes: { [KEY]: KEY } },
  },
};
