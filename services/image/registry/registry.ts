import type { ImageContext } from '../context.ts';
import type { ImageMeta, ImageStatus } from '../image.ts';

/** Conditions of an update beyond what the original registry knows; a remote original ignores them. */
export interface UpdateOptions {
  /** Properties not named go. */
  purgeProperties?: boolean;
  /** The change happens only from one of these states, else 409. */
  from?: readonly ImageStatus[];
  /** The change happens only while the image has no bytes, else 409. */
  withoutLocation?: boolean;
}

/** What a list shows of an image. */
export type ImageBrief = Pick<
  ImageMeta,
  'id' | 'name' | 'size' | 'disk_format' | 'container_format' | 'checksum'
>;

export interface MemberView {
  member_id: string;
  can_share: boolean;
}

export interface SharedImageView {
  image_id: string;
  can_share: boolean;
}

/**
 * The registry as the API sees it: in this process on the database, or another program over HTTP, ours or the original.
 * Every method throws a `RegistryFailure` whose status is the registry's and whose message is its error page.
 */
export interface Registry {
  /** `params`: query parameters as the registry's REST takes them. */
  list(context: ImageContext, params: Record<string, string>): Promise<ImageBrief[]>;
  detail(context: ImageContext, params: Record<string, string>): Promise<ImageMeta[]>;
  get(context: ImageContext, id: string): Promise<ImageMeta>;
  add(context: ImageContext, values: Record<string, unknown>): Promise<ImageMeta>;
  update(
    context: ImageContext,
    id: string,
    values: Record<string, unknown>,
    options?: UpdateOptions,
  ): Promise<ImageMeta>;
  /** Gives the image its last state and marks it deleted. Resolves to the image as it was, location included. */
  delete(context: ImageContext, id: string, lastStatus: 'deleted' | 'pending_delete'): Promise<ImageMeta>;
  members(context: ImageContext, id: string): Promise<MemberView[]>;
  sharedImages(context: ImageContext, tenant: string): Promise<SharedImageView[]>;
  /** `body` as the client sent it. */
  replaceMembers(context: ImageContext, id: string, body: unknown): Promise<void>;
  addMember(context: ImageContext, id: string, tenant: string, canShare: boolean | undefined): Promise<void>;
  deleteMember(context: ImageContext, id: string, tenant: string): Promise<void>;
  /** See `Database.stamp`; absent where the registry is another program. */
  stamp?(): Promise<string | null>;
  /** Resolves when the registry can be asked; for /readyz. */
  ping(): Promise<void>;
}
