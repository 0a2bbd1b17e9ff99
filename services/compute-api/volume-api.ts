import { type ApiKind, type ApiOptions, type RunningApi, startApi } from './nova-api.ts';
import { volumeOperationsOf } from './openstack/volume/operations.ts';
import { VOLUME_VERSION } from './openstack/volume/version.ts';

/** The folder whose listing is the list of its extensions. */
export const VOLUME_EXTENSIONS = new URL('./openstack/volume/extensions/', import.meta.url);

const VOLUME: ApiKind = {
  name: 'nova-api-os-volume',
  version: VOLUME_VERSION,
  extensions: VOLUME_EXTENSIONS,
  operations: volumeOperationsOf,
  settings: config => ({
    host: config.osapi_volume_listen,
    port: config.osapi_volume_listen_port,
    linkPrefix: null,
    factories: config.osapi_volume_extension,
    list: config.osapi_volume_ext_list,
  }),
};

/** nova-api's volume API on `osapi_volume_listen_port` (8776). */
export const startVolumeApi = (options: ApiOptions): Promise<RunningApi> => startApi(options, VOLUME);
