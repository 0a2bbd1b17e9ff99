import { commonOptions } from '@folsom/config';
import { imageDeclarations, imageNotHonoured } from '@folsom/image';
import type { ConfFile } from './conf-file.ts';

/** glance-api.conf, glance-registry.conf, glance-cache.conf and glance-scrubber.conf. */
export const glanceConf: ConfFile = {
  declarations: [commonOptions, ...imageDeclarations],
  notHonoured: imageNotHonoured,
};
