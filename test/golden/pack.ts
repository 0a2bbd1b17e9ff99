import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/**
 * Packs a folder of recordings (SET/SCENARIO.json) into `recordings/SET.jsonl.gz`, one scenario a line with its file name as
 * `slug`: `node test/golden/pack.ts FOLDER`. Needed only when recordings are added; `libs/testing` unpacks them for the tests.
 */
const [from] = process.argv.slice(2);
if (from === undefined) throw new Error('usage: pack.ts FOLDER');
const to = fileURLToPath(new URL('./recordings/', import.meta.url));
mkdirSync(to, { recursive: true });
for (const set of readdirSync(from)) {
  const folder = join(from, set);
  if (!statSync(folder).isDirectory()) continue;
  const lines = readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1))
    .map(name => {
      const scenario = JSON.parse(readFileSync(join(folder, name), 'utf8'));
      return `${JSON.stringify({ slug: name.slice(0, -'.json'.length), ...scenario })}\n`;
    });
  if (lines.length > 0) writeFileSync(join(to, `${set}.jsonl.gz`), gzipSync(lines.join(''), { level: 9 }));
}
