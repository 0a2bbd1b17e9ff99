import { LRUCache } from 'lru-cache';
import type { Call } from '../http/action.ts';
import { type ViewElements, type Written, written } from '../http/answer.ts';

/** What a caller was shown, and what it was made of. */
interface Kept {
  signature: string;
  text: Written;
}

/** Characters of listings kept, of all callers together. */
const CHARS_MAX = 64_000_000;
/** What changed and changed back in the middle of a reading is not shown for longer than this. */
const KEPT_MS = 60_000;

/** By cloud, and by who sees the same. */
const kept = new WeakMap<Call['domain'], LRUCache<string, Kept & { at: number }>>();

/**
 * The listing of everything that a caller sees: the one written last, for as long as the database says that it would be
 * the same. Tools ask for all of it again and again.
 */
export async function whileUnchanged(call: Call, view: () => Promise<ViewElements[]>): Promise<Written> {
  const { domain, context, world } = call;
  const listings =
    kept.get(domain) ??
    new LRUCache<string, Kept & { at: number }>({
      maxSize: CHARS_MAX,
      sizeCalculation: ({ signature, text }) => signature.length + text.xml.length + 1,
    });
  kept.set(domain, listings);
  const who = context.isAdmin ? 'admin' : `of ${context.projectId}`;
  const signature = await domain.servers.reservedSignature(context);
  const now = world.clock.monotonic();
  const known = listings.get(who);
  if (known !== undefined && known.signature === signature && now - known.at < KEPT_MS) return known.text;
  const text = written(await view());
  // It belongs to the signature only if that held from the first row read to the last.
  if ((await domain.servers.reservedSignature(context)) === signature) {
    listings.set(who, { signature, text, at: now });
  }
  return text;
}
