// Writes deploy/bin/NAME.mjs and the `bin` entries of deploy/package.json from the files in deploy/programs.
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The whole text of a program's wrapper. */
export const wrapperOf = program =>
  `#!/usr/bin/env node\nimport { launch } from '../launch.mjs';\n\nawait launch('${program}');\n`;

/** The text of package.json with these programs in it. */
export function manifestWith(text, programs) {
  const manifest = JSON.parse(text);
  manifest.bin = Object.fromEntries([...programs].sort().map(name => [name, `./bin/${name}.mjs`]));
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const here = new URL('.', import.meta.url);
  const programs = readdirSync(new URL('../programs/', here))
    .filter(file => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map(file => file.slice(0, -3));
  for (const program of programs) {
    const file = new URL(`${program}.mjs`, here);
    writeFileSync(file, wrapperOf(program));
    chmodSync(file, 0o755);
  }
  const manifest = new URL('../package.json', here);
  writeFileSync(manifest, manifestWith(readFileSync(manifest, 'utf8'), programs));
}
