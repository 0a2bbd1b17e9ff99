import type { OptionValues } from '@folsom/config';
import type { World } from '@folsom/core';
import { type Door, operatorDoor } from '@folsom/outbound';
import { LRUCache } from 'lru-cache';
import type { ImageContext } from '../context.ts';
import type { storeOptions } from '../options.ts';
import { measured } from './digest.ts';
import { checkTarget, discard, lengthOf } from './fetching.ts';
import { type Store, storeFault } from './store.ts';
import { expectStatus, objectStoreUrl, type SwiftConnection, swiftConnection } from './swift-connection.ts';
import { formatSwiftLocation, parseSwiftLocation, type SwiftLocation, swiftUrl } from './swift-location.ts';
import { putSegments, removeObject, removeObjects } from './swift-segments.ts';

type Options = OptionValues<(typeof storeOptions)['options']>;

/** What the original calls a megabyte. */
const MEGABYTE = 1000 * 1024;
const CONNECTIONS_MAX = 100;

/** Keeps images as objects in swift; large ones, and those of unknown size, in segments under a manifest. */
export function swiftStore(options: Options, parts: { door: Door; world: World }): Store {
  const ownDoor = operatorDoor();
  const connections = new LRUCache<string, SwiftConnection>({ max: CONNECTIONS_MAX });
  const ownAddress = withScheme(options.swift_store_auth_address ?? '');

  /** Logins are kept; addresses that are not our own are checked at every connection. */
  const connect = (authUrl: string, user: string, key: string): SwiftConnection => {
    const name = JSON.stringify([authUrl.replace(/\/+$/, ''), user, key]);
    const known = connections.get(name);
    if (known) return known;
    const trusted = ownAddress !== null && authUrl.replace(/\/+$/, '') === ownAddress.replace(/\/+$/, '');
    const made = swiftConnection(
      {
        version: options.swift_store_auth_version,
        authUrl: authUrl.endsWith('/') ? authUrl : `${authUrl}/`,
        user,
        key,
        region: options.swift_store_region,
        internalName: options.swift_enable_snet,
      },
      trusted ? ownDoor : parts.door,
    );
    connections.set(name, made);
    return made;
  };
  const connectTo = (location: SwiftLocation, context: ImageContext): SwiftConnection => {
    if (location.user !== null) return connect(swiftUrl(location), location.user, location.key ?? '');
    if (!options.swift_store_multi_tenant || !context.authToken) throw storeFault('BadStoreUri');
    const own = objectStoreUrl(context.serviceCatalog, options.swift_store_region);
    const trusted = own !== null && new URL(own).host === new URL(swiftUrl(location)).host;
    return swiftConnection(
      { storageUrl: swiftUrl(location), token: context.authToken },
      trusted ? ownDoor : parts.door,
    );
  };

  /** Where a new image goes, and the connection to put it there. */
  const target = (imageId: string, context: ImageContext) => {
    if (options.swift_store_multi_tenant) {
      const storageUrl = objectStoreUrl(context.serviceCatalog, options.swift_store_region);
      if (storageUrl === null || !context.authToken) throw storeFault('StoreAddDisabled');
      const location: SwiftLocation = {
        scheme: storageUrl.startsWith('http://') ? 'swift+http' : 'swift+https',
        user: null,
        key: null,
        address: storageUrl.replace(/^https?:\/\//, ''),
        container: `${options.swift_store_container}_${imageId}`,
        object: imageId,
      };
      return { location, connection: swiftConnection({ storageUrl, token: context.authToken }, ownDoor) };
    }
    const { swift_store_user: user, swift_store_key: key } = options;
    if (ownAddress === null || !user || !key) throw storeFault('StoreAddDisabled');
    const location: SwiftLocation = {
      scheme: ownAddress.startsWith('http://') ? 'swift+http' : 'swift+https',
      user,
      key,
      address: ownAddress.replace(/^https?:\/\//, ''),
      container: options.swift_store_container,
      object: imageId,
    };
    return { location, connection: connect(ownAddress, user, key) };
  };

  return {
    schemes: ['swift', 'swift+https', 'swift+http'],
    checkSource: async text => {
      const location = parseSwiftLocation(text);
      await checkTarget(parts.door, swiftUrl(location));
    },
    get: async (text, context) => {
      const location = parseSwiftLocation(text);
      const response = await connectTo(location, context).request('GET', [
        location.container,
        location.object,
      ]);
      await expectStatus(response, [200]);
      return { size: lengthOf(response), data: response.body };
    },
    size: async (text, context) => {
      const location = parseSwiftLocation(text);
      try {
        const response = await connectTo(location, context).request('HEAD', [
          location.container,
          location.object,
        ]);
        await expectStatus(response, [200, 204]);
        discard(response);
        return lengthOf(response) ?? 0;
      } catch (error) {
        if ((error as Error).name === 'SourceRefused') throw error;
        return 0;
      }
    },
    add: async ({ imageId, data, size, sizeMax, context, signal }) => {
      const { location, connection } = target(imageId, context);
      await ensureContainer(connection, location.container, options);
      const taken = await connection.request('HEAD', [location.container, imageId]);
      discard(taken);
      if (taken.status < 300) throw storeFault('DuplicateImageData');
      const source = measured(data, { sizeMax, signal });
      try {
        const whole = size !== null && size > 0 && size < options.swift_store_large_object_size * MEGABYTE;
        if (whole) await putWhole(connection, location, source.chunks, size, signal);
        else {
          await putSegments(connection, location, source.chunks, {
            segmentBytes: options.swift_store_large_object_chunk_size * MEGABYTE,
            signal,
          });
        }
        const checksum = source.checksum();
        if (whole) await verify(connection, location, checksum);
        return { location: formatSwiftLocation(location), size: source.size, checksum };
      } catch (error) {
        await removeObjects(connection, location.container, imageId).catch(failure =>
          parts.world.log.error('an unfinished image could not be removed from swift', {
            image: imageId,
            error: failure,
          }),
        );
        throw error;
      }
    },
    delete: async (text, context) => {
      const location = parseSwiftLocation(text);
      const connection = connectTo(location, context);
      const head = await connection.request('HEAD', [location.container, location.object]);
      await expectStatus(head, [200, 204]);
      discard(head);
      const manifest = head.headers['x-object-manifest'];
      if (typeof manifest === 'string') {
        const cut = manifest.indexOf('/');
        const container = decodeURIComponent(manifest.slice(0, cut));
        const prefix = decodeURIComponent(manifest.slice(cut + 1));
        await removeObjects(connection, container, prefix);
      }
      await removeObject(connection, location.container, location.object);
      if (options.swift_store_multi_tenant && location.user === null) {
        discard(await connection.request('DELETE', [location.container]));
      }
    },
    removeLeftovers: async (imageId, context, keep) => {
      if (options.swift_store_multi_tenant || ownAddress === null) return 0;
      const { location, connection } = target(imageId, context);
      if (keep === formatSwiftLocation(location)) return 0;
      return removeObjects(connection, location.container, imageId);
    },
    ...(options.swift_store_multi_tenant
      ? {
          setAcls: async (text, acls, context) => {
            const location = parseSwiftLocation(text);
            const write = [...acls.writeTenants, ...options.swift_store_admin_tenants];
            const response = await connectTo(location, context).request('POST', [location.container], {
              headers: {
                'x-container-read': acls.public ? '.r:*' : acls.readTenants.join(','),
                'x-container-write': write.join(','),
              },
            });
            await expectStatus(response, [200, 201, 202, 204]);
            discard(response);
          },
        }
      : {}),
  };
}

/** The address with a scheme, https unless it says otherwise; null for none. */
const withScheme = (address: string): string | null =>
  address === '' ? null : /^https?:\/\//.test(address) ? address : `https://${address}`;

async function ensureContainer(
  connection: SwiftConnection,
  container: string,
  options: Options,
): Promise<void> {
  const head = await connection.request('HEAD', [container]);
  discard(head);
  if (head.status < 300) return;
  if (head.status !== 404) await expectStatus(head, []);
  if (!options.swift_store_create_container_on_put && !options.swift_store_multi_tenant) {
    throw storeFault(
      'BackendError',
      {},
      {
        message:
          `The container ${container} does not exist in Swift. Please set the ` +
          'swift_store_create_container_on_put option to add container to Swift automatically.',
      },
    );
  }
  const put = await connection.request('PUT', [container], { headers: { 'content-length': '0' } });
  await expectStatus(put, [200, 201, 202, 204]);
  discard(put);
}

async function putWhole(
  connection: SwiftConnection,
  location: SwiftLocation,
  chunks: AsyncIterable<Buffer>,
  size: number,
  signal: AbortSignal,
): Promise<void> {
  const response = await connection.request('PUT', [location.container, location.object], {
    headers: { 'content-length': String(size), 'content-type': 'application/octet-stream' },
    body: chunks,
    signal,
  });
  await expectStatus(response, [201, 200, 202]);
  discard(response);
}

/** Swift digests what it stored: another checksum means damage on the way. */
async function verify(connection: SwiftConnection, location: SwiftLocation, checksum: string): Promise<void> {
  const head = await connection.request('HEAD', [location.container, location.object]);
  await expectStatus(head, [200, 204]);
  discard(head);
  const etag = head.headers.etag?.replaceAll('"', '');
  if (etag !== undefined && etag !== checksum) {
    throw storeFault('BackendError', {}, { message: 'The image store holds other bytes than were sent.' });
  }
}
