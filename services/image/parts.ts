import type { World } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { Policy } from '@folsom/policy';
import type { ImageCache } from './cache/cache.ts';
import type { ImageContext } from './context.ts';
import type { Notifier } from './notifier.ts';
import type { LocationCipher } from './registry/encryption.ts';
import type { Registry } from './registry/registry.ts';
import type { ScrubQueue } from './scrubber/queue.ts';
import type { Stores } from './stores/index.ts';
import type { Copies } from './upload/copies.ts';
import type { Uploads } from './upload/uploads.ts';

/** What the handlers of glance-api work with. */
export interface ApiParts {
  world: World;
  policy: Policy;
  registry: Registry;
  /** Version 2 works on the database itself, as Folsom's does; absent when only version 1 is served. */
  db: Database | null;
  cipher: LocationCipher | null;
  stores: Stores;
  uploads: Uploads;
  copies: Copies;
  cache: ImageCache | null;
  scrubQueue: ScrubQueue;
  notifier: Notifier;
  settings: ApiSettings;
}

export interface ApiSettings {
  default_store: string;
  delayed_delete: boolean;
  image_size_cap: number;
  limit_param_default: number;
  api_limit_max: number;
  show_image_direct_url: boolean;
  complete_v2_api: boolean;
  allow_additional_image_properties: boolean;
  external_source_schemes: readonly string[];
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; set for every request behind the login. */
    image: ImageContext;
  }
}
