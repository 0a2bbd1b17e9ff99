import type { ImageContext } from '../context.ts';
import { httpFault } from '../faults.ts';
import type { Image } from '../image.ts';
import {
  deleteMembership,
  findMembership,
  membershipsOf,
  membersOfImage,
  replaceMemberships,
  setMembership,
} from '../repository/members.ts';
import { isSharable } from '../visibility.ts';
import { type RegistryParts, visibleImage } from './images.ts';
import type { MemberView, SharedImageView } from './registry.ts';

const MEMBER_CHARS_MAX = 255;
const MEMBERS_MAX = 1000;

/** @throws Http401 for callers who are nobody. */
function requireSomebody(context: ImageContext): void {
  if (context.readOnly) throw httpFault(403, { detail: 'Read-only access' });
  if (context.owner === null && !context.isAdmin) throw httpFault(401, { detail: 'No authenticated user' });
}

async function existing(parts: RegistryParts, context: ImageContext, id: string): Promise<Image> {
  const image = await visibleImage(parts, context, id);
  if (!image) throw httpFault(404);
  return image;
}

async function sharable(parts: RegistryParts, context: ImageContext, id: string): Promise<Image> {
  const image = await existing(parts, context, id);
  const own = context.owner === null ? undefined : await findMembership(parts.db, id, context.owner);
  if (!isSharable(context, image, own)) throw httpFault(403, { detail: 'No permission to share that image' });
  return image;
}

export async function registryMembers(
  parts: RegistryParts,
  context: ImageContext,
  id: string,
): Promise<MemberView[]> {
  const image = await existing(parts, context, id);
  const members = await membersOfImage(parts.db, id);
  // Whoever sees the image only because everybody does learns nothing of those it is shared with.
  const concerned =
    context.isAdmin ||
    (context.owner !== null &&
      (context.owner === image.owner || members.some(({ member }) => member === context.owner)));
  if (!concerned) return [];
  return members.map(({ member, can_share }) => ({ member_id: member, can_share }));
}

/** What is shared with a tenant, as far as it is the caller's: shared with him, or by him. Administrators see all. */
export async function registrySharedImages(
  parts: RegistryParts,
  context: ImageContext,
  tenant: string,
): Promise<SharedImageView[]> {
  const members = await membershipsOf(parts.db, tenant, context);
  return members.map(({ image_id, can_share }) => ({ image_id, can_share }));
}

export async function registryReplaceMembers(
  parts: RegistryParts,
  context: ImageContext,
  id: string,
  body: unknown,
): Promise<void> {
  requireSomebody(context);
  await sharable(parts, context, id);
  const wanted = memberships(body);
  await replaceMemberships(parts.db, id, wanted, parts.world.clock.now());
}

/** `body` undefined: no body was sent. */
export async function registryAddMember(
  parts: RegistryParts,
  context: ImageContext,
  id: string,
  tenant: string,
  body: unknown,
): Promise<void> {
  requireSomebody(context);
  await sharable(parts, context, id);
  let canShare: boolean | undefined;
  if (body !== undefined && body !== null) {
    const member = (body as { member?: unknown }).member;
    if (member === null || typeof member !== 'object') throw invalid("'member'");
    if (!('can_share' in member)) throw invalid("'can_share'");
    canShare = Boolean(member.can_share);
  }
  await setMembership(parts.db, id, memberName(tenant), canShare, parts.world.clock.now());
}

export async function registryDeleteMember(
  parts: RegistryParts,
  context: ImageContext,
  id: string,
  tenant: string,
): Promise<void> {
  requireSomebody(context);
  await sharable(parts, context, id);
  const gone = await deleteMembership(parts.db, id, tenant, parts.world.clock.now());
  if (!gone) throw httpFault(404, { explanation: 'Membership could not be found.' });
}

const invalid = (what: string) => httpFault(400, { explanation: `Invalid membership association: ${what}` });

function memberships(body: unknown): { member: string; canShare: boolean | undefined }[] {
  const listed =
    body !== null && typeof body === 'object' ? (body as { memberships?: unknown }).memberships : undefined;
  if (!Array.isArray(listed)) throw invalid("'memberships'");
  if (listed.length > MEMBERS_MAX) throw invalid('too many members');
  const seen = new Map<string, boolean | undefined>();
  for (const item of listed) {
    if (item === null || typeof item !== 'object' || !('member_id' in item)) throw invalid("'member_id'");
    const { member_id, can_share } = item as { member_id: unknown; can_share?: unknown };
    if (typeof member_id !== 'string' && typeof member_id !== 'number') throw invalid("'member_id'");
    seen.set(memberName(String(member_id)), can_share === undefined ? undefined : Boolean(can_share));
  }
  return [...seen].map(([member, canShare]) => ({ member, canShare }));
}

function memberName(text: string): string {
  if (text === '' || text.length > MEMBER_CHARS_MAX) throw invalid("'member_id'");
  return text;
}
