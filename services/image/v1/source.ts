import { Fault, maskText } from '@folsom/core';
import type { ImageContext } from '../context.ts';
import { imageFault } from '../faults.ts';
import type { ApiParts } from '../parts.ts';
import { schemeOf } from '../stores/index.ts';
import type { Store } from '../stores/store.ts';

/** Where a user says an image is, or should be copied from. */
export interface ExternalSource {
  location: string;
  store: Store;
}

/**
 * Checks a location a user gave: its scheme must be one of the allowed ones (never one of files), its address none of this
 * host or of inner networks.
 *
 * @throws 400
 */
export async function externalSource(
  parts: Pick<ApiParts, 'stores' | 'settings'>,
  text: string,
): Promise<ExternalSource> {
  const unsupported = () =>
    imageFault('InvalidLocation', {
      explanation: `External sourcing not supported for store ${maskText(text.slice(0, 1024))}`,
    });
  const trimmed = text.trim();
  const scheme = schemeOf(trimmed);
  if (scheme === null || !parts.settings.external_source_schemes.includes(scheme)) throw unsupported();
  if (scheme === 'file' || scheme === 'filesystem') throw unsupported();
  // One scheme only: "swift://user:key@file:///etc" must not hide another.
  if (trimmed.split('://').length !== 2 || /[\s\u0000-\u001f\u007f]/.test(trimmed)) throw unsupported();
  const store = parts.stores.byScheme(scheme);
  if (!store) throw imageFault('UnknownStore', { explanation: 'Store for scheme %s not found' });
  try {
    await store.checkSource?.(trimmed);
  } catch (error) {
    if (error instanceof Fault) throw imageFault('InvalidLocation', { explanation: error.message });
    throw error;
  }
  return { location: scheme + trimmed.slice(scheme.length), store };
}

/** Bytes at a source, 0 when that cannot be found out. @throws 400 for a refused address. */
export async function sourceSize(source: ExternalSource, context: ImageContext): Promise<number> {
  try {
    return await source.store.size(source.location, context);
  } catch (error) {
    if (error instanceof Fault && error.status < 500)
      throw imageFault('InvalidLocation', { explanation: error.message });
    return 0;
  }
}
