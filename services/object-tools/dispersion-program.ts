import { existsSync } from 'node:fs';
import { systemClock, systemRandom } from '@folsom/core';
import { openRing } from '@folsom/ring';
import { hashPathSuffix, pathHash, readConf } from '@folsom/swift';
import { createInternalClient } from '@folsom/swift-http';
import { type DispersionTools, dispersionOptions } from './dispersion.ts';

/** Reads dispersion.conf and runs one of the two programs with it; a failure is one line and status 1. */
export async function runDispersion(
  confFile: string,
  flags: { dumpJson?: boolean; debug?: boolean },
  work: (tools: DispersionTools) => Promise<number>,
): Promise<number> {
  const err = (line: string) => void process.stderr.write(`${line}\n`);
  if (!existsSync(confFile)) {
    err(`Unable to read config file: ${confFile}`);
    return 1;
  }
  const options = dispersionOptions(readConf(confFile).section('dispersion'));
  const ring = (kind: string) =>
    openRing({ path: `${options.swiftDir}/${kind}.ring.gz`, clock: systemClock });
  const client = createInternalClient({ clock: systemClock });
  try {
    return await work({
      options: {
        ...options,
        dumpJson: options.dumpJson || (flags.dumpJson ?? false),
        debug: flags.debug ?? false,
      },
      rings: { container: ring('container'), object: ring('object') },
      pathHash: pathHash(hashPathSuffix(readConf(`${options.swiftDir}/swift.conf`))),
      client,
      clock: systemClock,
      random: systemRandom,
      print: line => void process.stdout.write(`${line}\n`),
      err,
    });
  } catch (error) {
    err(`Gave up due to error(s): ${(error as Error).message}`);
    return 1;
  } finally {
    client.close();
  }
}
