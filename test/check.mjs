// `npm run check`: what can be said about the code without running it, all at once; `npm run check -- lint layers` some of it.
// What it runs are the scripts of package.json whose names begin with `check:`.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const PREFIX = 'check:';
/** Takes longer than all others: a part of `npm test` and of `npm run check -- promises`. */
const LONG = ['promises'];
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Names of all checks. */
export const CHECKS = Object.keys(scripts)
  .filter(name => name.startsWith(PREFIX))
  .map(name => name.slice(PREFIX.length));

/** Runs a check; what it printed and whether it passed. */
export function check(name) {
  const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}` };
  const command = scripts[PREFIX + name];
  if (command === undefined)
    return Promise.resolve({ passed: false, printed: `no check is named ${name}\n` });
  return new Promise(resolve => {
    const child = spawn('sh', ['-c', command], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = [];
    child.stdout.on('data', part => printed.push(part));
    child.stderr.on('data', part => printed.push(part));
    child.on('error', error => resolve({ passed: false, printed: `${error.message}\n` }));
    child.on('close', code => resolve({ passed: code === 0, printed: Buffer.concat(printed).toString() }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.length > 2 ? process.argv.slice(2) : CHECKS.filter(name => !LONG.includes(name));
  await Promise.all(
    names.map(async name => {
      const { passed, printed } = await check(name);
      if (!passed || name === 'sizes') process.stdout.write(printed);
      console.log(`${passed ? 'ok' : 'FAILED'}: ${name}`);
      if (!passed) process.exitCode = 1;
    }),
  );
}
