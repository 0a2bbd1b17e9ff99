// Writes deploy/bin/NAME.mjs and the `bin` entries of deploy/package.json from the files in deploy/programs.
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const here = new URL('.', import.meta.url);
const names = readdirSync(new URL('../programs/', here))
  .filter(file => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  .map(file => file.slice(0, -3))
  .sort();
for (const name of names) {
  const file = new URL(`${name}.mjs`, here);
  writeFileSync(
    file,
    `#!/usr/bin/env node\nimport { launch } from '../launch.mjs';\n\nawait launch('${name}');\n`,
  );
  chmodSync(file, 0o755);
}
const manifestFile = new URL('../package.json', here);
const manifest = JSON.parse(readFileSync(manifestFile, 'utf8'));
manifest.bin = Object.fromEntries(names.map(name => [name, `./bin/${name}.mjs`]));
writeFileSync(manifestFile, `${JSON.stringify(manifest, null, 2)}\n`);
