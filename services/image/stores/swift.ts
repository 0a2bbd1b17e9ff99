import type { IncomingMessage } from 'node:http';
import type { OptionValues } from '@folsom/config';
import type { World } from '@folsom/core';
import type { ImageContext } from '../context.ts';
import type { storeOptions } from '../options.ts';
import type { AddressGuard } from './addresses.ts';
import { measured } from './digest.ts';
import { discard, textOf } from './fetching.ts';
import { type Store, storeFault } from './store.ts';
import { objectStoreUrl, type SwiftConnection, swiftConnection } from './swift-connection.ts';
import { formatSwiftLocation, parseSwiftLocation, type SwiftLocation, swiftUrl } from './swift-location.ts';

type Options = OptionValues<(typeof storeOptions)['options']>;

/** What the original calls a megabyte. */
const MEGABYTE = 1000 * 1024;
const LISTING_MAX = 10_000;
const CONNECTIONS_MAX = 100;
const SEGMENTS_MAX = 1_000_000;

/** Keeps images as objects in swift; large ones, and those of unknown size, in segments under a manifest. */
export function swiftStore(options: Options, parts: { guard: AddressGuard; world: World }): Store {
  const connections = new Map<string, SwiftConnection>();
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
      trusted ? undefined : parts.guard,
    );
    if (connections.size >= CONNECTIONS_MAX) connections.delete(connections.keys().next().value!);
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
      trusted ? undefined : parts.guard,
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
      return { location, connection: swiftConnection({ storageUrl, token: context.authToken }, undefined) };
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

  const removeObjects = async (
    connection: SwiftConnection,
    container: string,
    object: string,
  ): Promise<number> => {
    const names = new Set(await segmentNames(connection, container, object));
    let removed = 0;
    for (const name of names.add(object)) if (await removeObject(connection, container, name)) removed += 1;
    // A listing may not show yet what was stored a moment ago: segments are numbered without gaps.
    for (let number = 1; number <= SEGMENTS_MAX; number++) {
      const name = segmentName(object, number);
      if (names.has(name)) continue;
      if (!(await removeObject(connection, container, name))) break;
      removed += 1;
    }
    return removed;
  };

  return {
    schemes: ['swift', 'swift+https', 'swift+http'],
    checkSource: async text => {
      const location = parseSwiftLocation(text);
      await parts.guard.check(new URL(swiftUrl(location)).hostname);
    },
    get: async (text, context) => {
      const location = parseSwiftLocation(text);
      const response = await connectTo(location, context).request('GET', [
        location.container,
        location.object,
      ]);
      await expect(response, [200]);
      return { size: lengthOf(response), data: response };
    },
    size: async (text, context) => {
      const location = parseSwiftLocation(text);
      try {
        const response = await connectTo(location, context).request('HEAD', [
          location.container,
          location.object,
        ]);
        await expect(response, [200, 204]);
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
      if ((taken.statusCode ?? 500) < 300) throw storeFault('DuplicateImageData');
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
      await expect(head, [200, 204]);
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
            await expect(response, [200, 201, 202, 204]);
            discard(response);
          },
        }
      : {}),
  };
}

/** The address with a scheme, https unless it says otherwise; null for none. */
const withScheme = (address: string): string | null =>
  address === '' ? null : /^https?:\/\//.test(address) ? address : `https://${address}`;

const lengthOf = (response: IncomingMessage): number | null => {
  const length = response.headers['content-length'];
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : null;
};

async function expect(response: IncomingMessage, statuses: readonly number[]): Promise<void> {
  const status = response.statusCode ?? 500;
  if (statuses.includes(status)) return;
  discard(response);
  if (status === 404) throw storeFault('ImageDataNotFound');
  if (status === 409) throw storeFault('DuplicateImageData');
  if (status === 413 || status === 507) throw storeFault('StorageFull');
  throw storeFault('BackendError', {}, { message: `The image store answered with status ${status}.` });
}

async function ensureContainer(
  connection: SwiftConnection,
  container: string,
  options: Options,
): Promise<void> {
  const head = await connection.request('HEAD', [container]);
  discard(head);
  if ((head.statusCode ?? 500) < 300) return;
  if (head.statusCode !== 404) await expect(head, []);
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
  await expect(put, [200, 201, 202, 204]);
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
  await expect(response, [201, 200, 202]);
  discard(response);
}

/** Swift digests what it stored: another checksum means damage on the way. */
async function verify(connection: SwiftConnection, location: SwiftLocation, checksum: string): Promise<void> {
  const head = await connection.request('HEAD', [location.container, location.object]);
  await expect(head, [200, 204]);
  discard(head);
  const etag = head.headers.etag?.replaceAll('"', '');
  if (etag !== undefined && etag !== checksum) {
    throw storeFault('BackendError', {}, { message: 'The image store holds other bytes than were sent.' });
  }
}

async function putSegments(
  connection: SwiftConnection,
  location: SwiftLocation,
  chunks: AsyncIterable<Buffer>,
  options: { segmentBytes: number; signal: AbortSignal },
): Promise<void> {
  const parts = splitStream(chunks, options.segmentBytes);
  for (let number = 1; ; number++) {
    const segment = await parts.next();
    if (segment === null) break;
    const name = segmentName(location.object, number);
    const response = await connection.request('PUT', [location.container, name], {
      headers: { 'transfer-encoding': 'chunked', 'content-type': 'application/octet-stream' },
      body: segment,
      signal: options.signal,
    });
    await expect(response, [201, 200, 202]);
    discard(response);
  }
  const manifest = await connection.request('PUT', [location.container, location.object], {
    headers: {
      'content-length': '0',
      'x-object-manifest': `${location.container}/${location.object}`,
    },
    body: Buffer.alloc(0),
  });
  await expect(manifest, [201, 200, 202]);
  discard(manifest);
}

/** Cuts a stream into streams of at most `bytes`; null at its end. Each must be read to its end before the next. */
function splitStream(
  chunks: AsyncIterable<Buffer>,
  bytes: number,
): { next(): Promise<AsyncIterable<Buffer> | null> } {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Buffer | null = null;
  const take = async (): Promise<Buffer | null> => {
    while (rest === null || rest.byteLength === 0) {
      const { value, done } = await iterator.next();
      if (done) return null;
      rest = value;
    }
    return rest;
  };
  return {
    next: async () => {
      if ((await take()) === null) return null;
      return (async function* () {
        let left = bytes;
        while (left > 0) {
          const chunk = await take();
          if (chunk === null) return;
          const part = chunk.subarray(0, left);
          rest = chunk.subarray(part.byteLength);
          left -= part.byteLength;
          yield part;
        }
      })();
    },
  };
}

const segmentName = (object: string, number: number): string =>
  `${object}-${String(number).padStart(5, '0')}`;

/** The object and its segments: `<object>` and `<object>-00001`, nothing else of that prefix. */
async function segmentNames(
  connection: SwiftConnection,
  container: string,
  object: string,
): Promise<string[]> {
  const names: string[] = [];
  let marker = '';
  for (;;) {
    const response = await connection.request('GET', [container], {
      query: {
        format: 'json',
        prefix: object,
        limit: String(LISTING_MAX),
        ...(marker ? { marker } : {}),
      },
    });
    if (response.statusCode === 404) {
      discard(response);
      return names;
    }
    await expect(response, [200, 204]);
    const text = await textOf(response);
    const page = text === '' ? [] : (JSON.parse(text) as { name: string }[]).map(item => item.name);
    names.push(...page.filter(name => name === object || /^-\d{5,}$/.test(name.slice(object.length))));
    if (page.length < LISTING_MAX) return names;
    marker = page.at(-1)!;
  }
}

/** Resolves to false when there was none. */
async function removeObject(connection: SwiftConnection, container: string, name: string): Promise<boolean> {
  const response = await connection.request('DELETE', [container, name]);
  discard(response);
  if (response.statusCode === 404) return false;
  await expect(response, [200, 204]);
  return true;
}
