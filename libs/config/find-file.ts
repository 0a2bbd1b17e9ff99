import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from './config.ts';

/**
 * The file that an option names: as it stands when it is absolute, else beside the configuration files (the last one read
 * counts first) and then in `folder`, e.g. `/etc/keystone`. Undefined when there is none.
 */
export function findConfigFile(config: Config, name: string, folder?: string): string | undefined {
  const folders = [...config.files.map(file => dirname(file)).reverse(), ...(folder ? [folder] : [])];
  const places = name.startsWith('/') ? [name] : folders.map(place => join(place, name));
  return places.find(place => existsSync(place));
}
