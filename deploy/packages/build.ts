// `npm run package`: Debian packages of every part and an archive for other machines, in ./var/packages. Needs dpkg-deb and tar.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ALL_PACKAGES } from './catalogue.ts';
import { buildPackage } from './debian.ts';
import { buildTarball } from './tarball.ts';

const USAGE = `npm run package -- [options] [PACKAGE...]

Builds Folsom's Debian packages (all, or those named) and folsom-VERSION-linux-ARCH.tar.gz with install and uninstall.

  --out DIR          where they go (default: var/packages)
  --version VERSION  default: that of package.json
  --no-tarball       Debian packages alone
`;
/** No file is newer, so that the same tree gives the same bytes; SOURCE_DATE_EPOCH sets another time. */
const EPOCH = String(Date.UTC(2026, 0, 1) / 1000);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    out: { type: 'string', default: join(ROOT, 'var', 'packages') },
    version: { type: 'string' },
    'no-tarball': { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else await build();

async function build(): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), 'folsom-package-'));
  const options = {
    version: values.version ?? version,
    scratch,
    out,
    epoch: process.env.SOURCE_DATE_EPOCH ?? EPOCH,
  };
  const names = positionals.length > 0 ? positionals : ALL_PACKAGES.map(({ name }) => name);
  try {
    for (const name of names) console.log(await buildPackage(name, options));
    if (positionals.length === 0 && !values['no-tarball']) console.log(await buildTarball(options));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
