import { ACCESS } from './access.ts';
import { COMMON } from './common.ts';
import { INSTANCES } from './instances.ts';
import { STORAGE } from './storage.ts';
import { SYSTEM } from './system.ts';

/** Every text of the page by its key: English and Chinese. `{name}` is filled in. */
export const TEXTS: Readonly<Record<string, readonly [en: string, zh: string]>> = {
  ...COMMON,
  ...INSTANCES,
  ...STORAGE,
  ...ACCESS,
  ...SYSTEM,
};
