import type { Config } from '@folsom/config';
import { novaOptions } from '@folsom/nova/options';

/** nova.conf as the compute agent reads it. */
export const settingsOf = (config: Config) => config.of(novaOptions);
export type ComputeSettings = ReturnType<typeof settingsOf>;
