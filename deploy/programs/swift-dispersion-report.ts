import { reportDispersion } from '../swift-tools/dispersion.ts';
import { runDispersion } from '../swift-tools/dispersion-program.ts';

/** swift-dispersion-report: how many of the copies that should be there are there. */
export async function main(argv: string[]): Promise<number> {
  const json = argv.some(word => word === '-j' || word === '--dump-json');
  const [confFile] = argv.filter(word => !word.startsWith('-'));
  return runDispersion(confFile ?? '/etc/swift/dispersion.conf', json, reportDispersion);
}
