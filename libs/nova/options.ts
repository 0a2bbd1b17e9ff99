import { type OptionValues, options } from '@folsom/config';
import { api, quota } from './options/api.ts';
import { capacity, common } from './options/common.ts';
import { cert, compute, console, volume } from './options/compute.ts';
import { network } from './options/network.ts';
import { scheduler } from './options/scheduler.ts';

/** Every option of nova.conf that a nova program reads, by subject in `options/`. `config.of(novaOptions).my_ip`. */
export const novaOptions = options('DEFAULT', {
  ...common,
  ...capacity,
  ...api,
  ...quota,
  ...compute,
  ...console,
  ...cert,
  ...volume,
  ...network,
  ...scheduler,
});

/** Their values. */
export type NovaSettings = OptionValues<(typeof novaOptions)['options']>;
