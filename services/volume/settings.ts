import type { Config } from '@folsom/config';
import { novaOptions } from '@folsom/nova/options';

/** nova.conf as nova-volume reads it. */
export const settingsOf = (config: Config) => config.of(novaOptions);
export type VolumeSettings = ReturnType<typeof settingsOf>;
