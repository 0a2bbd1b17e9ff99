import { namesIn } from '@folsom/swift';
import type { SuffixListing } from './sync-protocol.ts';

const COUNTS = /\.(data|meta|ts)$/;

/** The files of some suffixes of a partition, newest first, by object hash. */
export async function listSuffixes(partition: string, suffixes: readonly string[]): Promise<SuffixListing> {
  const listing: SuffixListing = {};
  for (const suffix of suffixes) {
    if (!/^[0-9a-f]{3}$/.test(suffix)) continue;
    for (const hash of await namesIn(`${partition}/${suffix}`)) {
      if (!/^[0-9a-f]{32}$/.test(hash)) continue;
      const names = (await namesIn(`${partition}/${suffix}/${hash}`)).filter(name => COUNTS.test(name));
      if (names.length > 0) listing[hash] = names.sort().reverse();
    }
  }
  return listing;
}

/**
 * Which of our files a replica lacks: those its own do not supersede, oldest first so that metadata follows data.
 * Both lists newest first.
 */
export function missingFiles(ours: readonly string[], theirs: readonly string[]): string[] {
  const newest = theirs.find(name => name.endsWith('.ts') || name.endsWith('.data')) ?? '';
  return ours.filter(name => !theirs.includes(name) && name > newest).reverse();
}
