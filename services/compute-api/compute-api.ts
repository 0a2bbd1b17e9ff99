import { type ApiKind, type ApiOptions, type RunningApi, startApi } from './nova-api.ts';
import { COMPUTE_VERSION } from './openstack/core/versions.ts';
import { operationsOf } from './openstack/operations.ts';

export type ComputeApiOptions = ApiOptions;
export type ComputeApi = RunningApi;

/** The folder whose listing is the list of extensions. */
export const EXTENSIONS = new URL('./openstack/extensions/', import.meta.url);

const COMPUTE: ApiKind = {
  name: 'nova-api-os-compute',
  version: COMPUTE_VERSION,
  extensions: EXTENSIONS,
  operations: operationsOf,
  settings: config => ({
    host: config.osapi_compute_listen,
    port: config.osapi_compute_listen_port,
    linkPrefix: config.osapi_compute_link_prefix,
    factories: config.osapi_compute_extension,
    list: config.osapi_compute_ext_list,
  }),
};

/** nova-api's OpenStack compute API on `osapi_compute_listen_port` (8774). */
export const startComputeApi = (options: ComputeApiOptions): Promise<ComputeApi> =>
  startApi(options, COMPUTE);
