import { populateDispersion, runDispersion } from '@folsom/object-tools';

/** swift-dispersion-populate: puts something small into a share of all partitions. */
export async function main(argv: string[]): Promise<number> {
  if (argv.length > 1) {
    process.stderr.write('Syntax: swift-dispersion-populate [conffile]\n');
    return 1;
  }
  return runDispersion(argv[0] ?? '/etc/swift/dispersion.conf', {}, populateDispersion);
}
