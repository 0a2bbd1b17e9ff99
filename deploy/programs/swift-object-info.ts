import { existsSync } from 'node:fs';
import { systemClock } from '@folsom/core';
import { objectReport } from '@folsom/object-tools';
import { openRing } from '@folsom/ring';
import { hashPathSuffix, pathHash, readConf } from '@folsom/swift';

/** swift-object-info: what an object file says of itself, and whether it is true. */
export async function main(argv: string[]): Promise<number> {
  const [file, option, folder] = argv;
  if (file === undefined || /^(-h|--help)$/.test(file)) {
    process.stdout.write('Usage: swift-object-info OBJECT_FILE\n');
    return file === undefined ? 1 : 0;
  }
  if (!existsSync(file)) {
    process.stderr.write(`swift-object-info: there is no file ${file}\n`);
    return 1;
  }
  const swiftDir = option === '--swiftdir' && folder !== undefined ? folder : '/etc/swift';
  const conf = `${swiftDir}/swift.conf`;
  const hash = existsSync(conf) ? pathHash(hashPathSuffix(readConf(conf))) : null;
  const ringFile = `${swiftDir}/object.ring.gz`;
  const ring = existsSync(ringFile) ? openRing({ path: ringFile, clock: systemClock }) : null;
  process.stdout.write(objectReport(file, hash, ring));
  return 0;
}
