import { type Problem, readerOf } from '@folsom/http/operation';
import Type, { type StaticDecode } from 'typebox';
import type { ImageContext } from '../context.ts';
import { imageFault } from '../faults.ts';
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

/** @throws 401 for callers who are nobody. */
function requireSomebody(context: ImageContext): void {
  if (context.readOnly) throw imageFault('ReadOnlyAccess', { detail: 'Read-only access' });
  if (context.owner === null && !context.isAdmin)
    throw imageFault('NotAuthenticated', { detail: 'No authenticated user' });
}

async function existing(parts: RegistryParts, context: ImageContext, id: string): Promise<Image> {
  const image = await visibleImage(parts, context, id);
  if (!image) throw imageFault('ImageNotFound');
  return image;
}

async function sharable(parts: RegistryParts, context: ImageContext, id: string): Promise<Image> {
  const image = await existing(parts, context, id);
  const own = context.owner === null ? undefined : await findMembership(parts.db, id, context.owner);
  if (!isSharable(context, image, own))
    throw imageFault('NotSharable', { detail: 'No permission to share that image' });
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
  const { memberships } = listReader.read(body ?? null) as Members;
  // Of several entries for one tenant the last counts.
  const wanted = new Map(memberships.map(item => [item.member_id, item.can_share]));
  await replaceMemberships(
    parts.db,
    id,
    [...wanted].map(([member, canShare]) => ({ member, canShare })),
    parts.world.clock.now(),
  );
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
  const canShare =
    body === undefined || body === null ? undefined : (oneReader.read(body) as OneMember).member.can_share;
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
  if (!gone) throw imageFault('MemberNotFound', { explanation: 'Membership could not be found.' });
}

const invalid = (what: string) =>
  imageFault('InvalidMembership', { explanation: `Invalid membership association: ${what}` });
const says = (what: string) => ({ says: () => invalid(what) });

/** Whatever counts as yes for Python. */
const truth = Type.Decode(Type.Unknown(), value => Boolean(value));
const memberId = Type.Decode(
  Type.Union(
    [Type.String({ minLength: 1, maxLength: MEMBER_CHARS_MAX }), Type.Number()],
    says("'member_id'"),
  ),
  value => `${value}`,
);

export const memberBody = Type.Object({
  member: Type.Object(
    { can_share: Type.Decode(Type.Unknown(says("'can_share'")), value => Boolean(value)) },
    says("'member'"),
  ),
});
type OneMember = StaticDecode<typeof memberBody>;

export const membershipsBody = Type.Object(
  {
    memberships: Type.Array(
      Type.Object({ member_id: memberId, can_share: Type.Optional(truth) }, says("'member_id'")),
      {
        maxItems: MEMBERS_MAX,
        says: ({ keyword }: Problem) =>
          invalid(keyword === 'maxItems' ? 'too many members' : "'memberships'"),
      },
    ),
  },
  says("'memberships'"),
);
type Members = StaticDecode<typeof membershipsBody>;

const oneReader = readerOf(memberBody, 'body', () => invalid("'member'"));
const listReader = readerOf(membershipsBody, 'body', () => invalid("'memberships'"));

function memberName(text: string): string {
  if (text === '' || text.length > MEMBER_CHARS_MAX) throw invalid("'member_id'");
  return text;
}
