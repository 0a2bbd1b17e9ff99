import type { Readable } from 'node:stream';
import { catalogue } from '@folsom/core';
import type { ImageContext } from '../context.ts';

/** What stores refuse with. The texts are shown to users: no path, no address, no credential in them. */
export const storeFault = catalogue({
  ImageDataNotFound: { status: 404, text: 'The image data could not be found in the store.' },
  DuplicateImageData: { status: 409, text: 'The store already has data for this image.' },
  StorageFull: { status: 413, text: 'There is not enough disk space on the image storage media.' },
  StorageWriteDenied: { status: 503, text: 'Permission to write image storage media denied.' },
  StoreDeleteDenied: { status: 403, text: 'The image data may not be deleted from the store.' },
  ImageSizeLimitExceeded: { status: 413, text: 'The provided image is too large.' },
  BadStoreUri: { status: 400, text: 'The Store URI was malformed.' },
  SourceRefused: { status: 400, text: 'The address of the image source is not allowed.' },
  StoreAddDisabled: {
    status: 400,
    text: 'Configuration for store failed. Adding images to this store is disabled.',
  },
  StoreDeleteNotSupported: { status: 400, text: 'Deleting images from this store is not supported.' },
  BackendError: { status: 503, text: 'The image store could not carry out the request.' },
  UploadAborted: { status: 412, text: 'The upload was ended because the image was deleted.' },
});

export interface StoredImage {
  /** Where the bytes are, durable by now; may hold credentials: never shown. */
  location: string;
  /** Bytes. */
  size: number;
  /** MD5 of the bytes, hexadecimal. */
  checksum: string;
}

export interface OpenedImage {
  /** Bytes, or null when the store does not know. */
  size: number | null;
  data: Readable;
}

export interface AddRequest {
  imageId: string;
  data: Readable;
  /** Bytes, or null when unknown. */
  size: number | null;
  /** The upload ends with `ImageSizeLimitExceeded` past this many bytes. */
  sizeMax: number;
  context: ImageContext;
  /** Ends the upload; nothing stays behind. */
  signal: AbortSignal;
}

export interface Acls {
  public: boolean;
  readTenants: readonly string[];
  writeTenants: readonly string[];
}

/** Where image bytes live. One suite (`conformance.ts`) runs against every implementation that can add. */
export interface Store {
  /** Schemes of its locations, the first is what `default_store` and `x-image-meta-store` name. */
  readonly schemes: readonly string[];
  /** @throws ImageDataNotFound */
  get(location: string, context: ImageContext): Promise<OpenedImage>;
  /** Bytes at a location, 0 when that cannot be found out. */
  size(location: string, context: ImageContext): Promise<number>;
  /** Stores the bytes; resolves only when they are durable. Whatever fails leaves nothing behind. */
  add?(request: AddRequest): Promise<StoredImage>;
  /** @throws ImageDataNotFound */
  delete?(location: string, context: ImageContext): Promise<void>;
  /** Removes what an upload of this image may have left when its process died. Resolves to the number of things removed. */
  removeLeftovers?(imageId: string, context: ImageContext, keep: string | null): Promise<number>;
  setAcls?(location: string, acls: Acls, context: ImageContext): Promise<void>;
  /** Throws a location a user must not give; `stored` ones are not asked. */
  checkSource?(location: string): Promise<void>;
}
