import type { ImageContext } from '../context.ts';
import { imageFault, isRegistryFailure } from '../faults.ts';
import type { ApiParts } from '../parts.ts';
import type { MemberView, SharedImageView } from '../registry/registry.ts';
import { updateStoreAcls } from './acls.ts';
import { imageOr404 } from './images.ts';

export async function members(parts: ApiParts, context: ImageContext, id: string): Promise<MemberView[]> {
  try {
    return await parts.registry.members(context, id);
  } catch (error) {
    if (isRegistryFailure(error, 404)) {
      throw imageFault('ImageNotFound', { detail: `Image with identifier ${id} not found` });
    }
    if (isRegistryFailure(error, 403))
      throw imageFault('ImageForbidden', { detail: 'Unauthorized image access' });
    throw error;
  }
}

export async function sharedImages(
  parts: ApiParts,
  context: ImageContext,
  tenant: string,
): Promise<SharedImageView[]> {
  try {
    return await parts.registry.sharedImages(context, tenant);
  } catch (error) {
    throw quoted(error);
  }
}

export async function addMember(
  parts: ApiParts,
  context: ImageContext,
  id: string,
  tenant: string,
  body: unknown,
): Promise<void> {
  requireSomebody(context);
  const member = objectIn(body, 'member');
  const canShare = member && 'can_share' in member ? Boolean(member.can_share) : undefined;
  await change(parts, context, id, parts.registry.addMember(context, id, tenant, canShare));
}

export async function deleteMember(
  parts: ApiParts,
  context: ImageContext,
  id: string,
  tenant: string,
): Promise<void> {
  requireSomebody(context);
  await change(parts, context, id, parts.registry.deleteMember(context, id, tenant));
}

export async function replaceMembers(
  parts: ApiParts,
  context: ImageContext,
  id: string,
  body: unknown,
): Promise<void> {
  requireSomebody(context);
  await change(parts, context, id, parts.registry.replaceMembers(context, id, body));
}

async function change(
  parts: ApiParts,
  context: ImageContext,
  id: string,
  work: Promise<void>,
): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw quoted(error);
  }
  await updateStoreAcls(parts, context, await imageOr404(parts, context, id));
}

/** The registry's page inside our own; that something is forbidden is not let on. */
function quoted(error: unknown): unknown {
  if (!isRegistryFailure(error)) return error;
  if (error.status === 400) return imageFault('InvalidMembership', { explanation: error.message });
  if (error.status === 401) return imageFault('NotAuthenticated');
  if (error.status === 404 || error.status === 403)
    return imageFault('MemberNotFound', { detail: error.message });
  return error;
}

function requireSomebody(context: ImageContext): void {
  if (context.readOnly) throw imageFault('ReadOnlyAccess', { detail: 'Read-only access' });
  if (context.owner === null && !context.isAdmin)
    throw imageFault('NotAuthenticated', { detail: 'No authenticated user' });
}

function objectIn(body: unknown, name: string): Record<string, unknown> | undefined {
  if (body === null || typeof body !== 'object') return undefined;
  const value = (body as Record<string, unknown>)[name];
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : undefined;
}
