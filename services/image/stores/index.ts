import type { Config } from '@folsom/config';
import type { World } from '@folsom/core';
import { addressRule, userDoor } from '@folsom/outbound';
import { imageOptions, storeOptions } from '../options.ts';
import { fileStore } from './file.ts';
import { httpStore } from './http.ts';
import { s3Store } from './s3.ts';
import { type Store, storeFault } from './store.ts';
import { swiftStore } from './swift.ts';

export type { AddRequest, OpenedImage, Store, StoredImage } from './store.ts';

/** The stores of a configuration. */
export interface Stores {
  /** The store of a scheme (`file`, `swift+http`), if it is in use. */
  byScheme(scheme: string): Store | undefined;
  /** @throws BackendError when no store in use has the location's scheme. */
  forLocation(location: string): Store;
  /** Where uploads in progress are noted when nothing else is said. */
  readonly fileDirectory: string | null;
}

/** Scheme of a location in lower case, or null for a text that is none. */
export const schemeOf = (location: string): string | null =>
  /^([a-z][a-z0-9+.-]*):\/\//i.exec(location)?.[1]?.toLowerCase() ?? null;

/** Opens the stores that `known_stores` names and that are configured. */
export async function openStores(config: Config, world: World): Promise<Stores> {
  const image = config.of(imageOptions);
  const options = config.of(storeOptions);
  const door = userDoor({
    addresses: addressRule(image.external_source_networks, 'external_source_networks'),
  });
  const known = (name: string) => image.known_stores.some(entry => entry.toLowerCase().includes(name));
  const stores: Store[] = [];
  let fileDirectory: string | null = null;
  if (known('filesystem') && options.filesystem_store_datadir) {
    const store = await fileStore(options.filesystem_store_datadir, world);
    fileDirectory = store.datadir;
    stores.push(store);
  }
  if (known('http')) stores.push(httpStore(door));
  if (known('swift')) stores.push(swiftStore(options, { door, world }));
  if (known('s3')) stores.push(s3Store(options, { door, world }));
  const bySchemes = new Map(stores.flatMap(store => store.schemes.map(scheme => [scheme, store] as const)));
  const defaultStore = bySchemes.get(image.default_store);
  if (!defaultStore?.add) {
    throw new Error(
      image.default_store === 'file' && !options.filesystem_store_datadir
        ? 'default_store is file, but filesystem_store_datadir is not set'
        : `default_store ${image.default_store} is not a store that takes images`,
    );
  }
  return {
    byScheme: scheme => bySchemes.get(scheme),
    forLocation: location => {
      const store = bySchemes.get(schemeOf(location) ?? '');
      if (!store) throw storeFault('BackendError', {}, { message: 'No store in use has this image.' });
      return store;
    },
    fileDirectory,
  };
}
