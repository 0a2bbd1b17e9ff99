import { storeFault } from './store.ts';

/** Where an image is in swift: `swift+http://tenant%3Auser:key@auth.example.com/v2.0/container/object`. */
export interface SwiftLocation {
  scheme: 'swift' | 'swift+http' | 'swift+https';
  user: string | null;
  key: string | null;
  /** Address of the identity service or, without a user, of the account; no scheme. */
  address: string;
  container: string;
  object: string;
}

/** @throws BadStoreUri */
export function parseSwiftLocation(location: string): SwiftLocation {
  const match = /^(swift|swift\+https?):\/\/(?:([^/@]*)@)?([^/@]+)\/(.+)$/is.exec(location);
  if (!match || location.split('://').length !== 2) throw storeFault('BadStoreUri');
  const [, scheme = '', credentials, host = '', path = ''] = match;
  const parts = path.split('/').filter(part => part !== '');
  const object = parts.pop();
  const container = parts.pop();
  if (object === undefined || container === undefined) throw storeFault('BadStoreUri');
  const [user, key, ...more] = credentials?.split(':') ?? [];
  if (credentials !== undefined && (user === undefined || key === undefined || more.length > 0)) {
    throw storeFault('BadStoreUri');
  }
  try {
    return {
      scheme: scheme.toLowerCase() as SwiftLocation['scheme'],
      user: user === undefined ? null : decodeURIComponent(user),
      key: key === undefined ? null : decodeURIComponent(key),
      address: [host, ...parts].join('/'),
      container,
      object,
    };
  } catch {
    throw storeFault('BadStoreUri');
  }
}

export function formatSwiftLocation(location: SwiftLocation): string {
  // The original leaves slashes in a key as they are, and cannot read such a location any more.
  const credentials =
    location.user && location.key
      ? `${encodeURIComponent(location.user)}:${encodeURIComponent(location.key)}@`
      : '';
  const address = location.address.replace(/^https?:\/\//, '').replace(/^\/+|\/+$/g, '');
  return `${location.scheme}://${credentials}${address}/${location.container}/${location.object}`;
}

/** The address with its scheme: https unless the location says `swift+http`. */
export const swiftUrl = (location: SwiftLocation): string =>
  `${location.scheme === 'swift+http' ? 'http' : 'https'}://${location.address}`;
