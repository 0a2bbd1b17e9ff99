// Installs what the project needs before `npm start`, `npm test` and `npm run bench`. Plain JavaScript for any Node from 18 on:
// it runs before the project's own Node is there. Does nothing when everything is in place.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OUTPUT_CHARS_MAX = 20_000;
const PROGRESS_MS = 2_000;

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
  process.stderr.write('Installing the packages the project needs (once; half a minute) ');
  const failed = await install(packageManager);
  process.stderr.write('\n');
  if (failed) {
    console.error(explained(packageManager, failed));
    process.exit(1);
  }
  writeFileSync(stamp, wanted);
}

/** One sentence where there is no network; else all that the package manager said. */
function explained(packageManager, { output, reason }) {
  const unreachable =
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ETIMEDOUT|ERR_SOCKET_TIMEOUT)\b/.exec(
      output,
    );
  return unreachable
    ? `Could not install: the package registry cannot be reached (${unreachable[1]}). The packages are fetched once: connect this machine, or bring node_modules from one that has them.`
    : `${output}Could not install: npx ${packageManager} ${reason}`;
}

/** Resolves to what the package manager said when it failed; its chatter is nobody's business otherwise. */
function install(packageManager) {
  return new Promise(resolve => {
    let output = '';
    const dots = setInterval(() => process.stderr.write('.'), PROGRESS_MS);
    const end = reason => {
      clearInterval(dots);
      resolve(reason === undefined ? undefined : { output, reason });
    };
    const child = spawn('npx', ['--yes', packageManager, 'install', '--frozen-lockfile'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CI: 'true' },
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', chunk => {
        output = (output + chunk).slice(-OUTPUT_CHARS_MAX);
      });
    child.once('error', error => end(error.message));
    child.once('close', (code, signal) => end(code === 0 ? undefined : `ended with ${code ?? signal}`));
  });
}
