// Installs what the project needs before `npm start`, `npm test` and `npm run bench`. Plain JavaScript for any Node from 18 on:
// it runs before the project's own Node is there. Does nothing when everything is in place.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.folsom-installed');
const manifest = readFileSync(join(root, 'package.json'), 'utf8');
const wanted = createHash('sha256')
  .update(manifest)
  .update(readFileSync(join(root, 'pnpm-lock.yaml')))
  .update(readFileSync(join(root, 'deploy', 'package.json')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  const { packageManager } = JSON.parse(manifest).config;
  console.error('Installing the packages the project needs (once; half a minute) ...');
  const result = spawnSync('npx', ['--yes', packageManager, 'install', '--frozen-lockfile'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (result.error || result.status !== 0) {
    console.error(
      `Could not install: npx ${packageManager} ${result.error?.message ?? `ended with ${result.status}`}`,
    );
    process.exit(1);
  }
  writeFileSync(stamp, wanted);
}
