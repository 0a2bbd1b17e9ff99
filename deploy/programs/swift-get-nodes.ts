import { dirname } from 'node:path';
import { systemClock } from '@folsom/core';
import { GET_NODES_USAGE, nodesReport } from '@folsom/object-tools';
import { openRing } from '@folsom/ring';
import { hashPathSuffix, pathHash, readConf } from '@folsom/swift';

/** swift-get-nodes: where an account, container or object lives. swift.conf is looked for beside the ring. */
export async function main(argv: string[]): Promise<number> {
  const all = argv.some(word => word === '-a' || word === '--all');
  const words = argv.filter(word => word !== '-a' && word !== '--all');
  if (words.length < 2 || words.length > 4) {
    process.stdout.write(GET_NODES_USAGE);
    return 1;
  }
  const [ringFile, account, container, object] = words as [string, string, string?, string?];
  const ring = openRing({ path: ringFile, clock: systemClock });
  const hash = pathHash(hashPathSuffix(readConf(`${dirname(ringFile)}/swift.conf`)));
  process.stdout.write(nodesReport(ring, hash, [account, container, object], all));
  return 0;
}
