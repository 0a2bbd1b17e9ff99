import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Random } from '@folsom/core';
import { ALPHANUMERIC } from '@folsom/core';

/** Made at the first start, kept for ever; the only place they stand besides the openrc files. */
export interface Secrets {
  adminPassword: string;
  demoPassword: string;
  /** Password of the users nova, glance, swift in the tenant `service`. */
  servicePassword: string;
  /** keystone's bootstrap token. */
  adminToken: string;
  /** swift_hash_path_suffix. */
  hashPathSuffix: string;
  /** Signs requests between the metadata proxy and its service. */
  metadataSecret: string;
}

const make: { [K in keyof Secrets]: (random: Random) => string } = {
  adminPassword: random => random.text(16, ALPHANUMERIC),
  demoPassword: random => random.text(16, ALPHANUMERIC),
  servicePassword: random => random.text(24, ALPHANUMERIC),
  adminToken: random => random.hex(40),
  hashPathSuffix: random => random.hex(20),
  metadataSecret: random => random.hex(40),
};

/** Reads the file, or makes it (0600, written whole); values given by the caller win at first start. */
export async function loadSecrets(
  file: string,
  random: Random,
  given: Partial<Secrets> = {},
): Promise<Secrets> {
  let kept: Partial<Secrets> = {};
  try {
    kept = JSON.parse(await readFile(file, 'utf8')) as Partial<Secrets>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new Error(
        `cannot read ${file}: ${error instanceof SyntaxError ? 'it is damaged' : (error as Error).message}`,
      );
    }
  }
  const secrets = Object.fromEntries(
    Object.entries(make).map(([name, generate]) => [
      name,
      kept[name as keyof Secrets] ?? given[name as keyof Secrets] ?? generate(random),
    ]),
  ) as unknown as Secrets;
  if (JSON.stringify(secrets) !== JSON.stringify(kept)) {
    await writeFile(`${file}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
  return secrets;
}
