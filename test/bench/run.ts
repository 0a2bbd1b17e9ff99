// `npm run bench [-- NAME[/PART]...]`: runs the benchmarks of this folder one after the other and prints what they measure, each against a
// reference taken in the same run. Never part of the tests: a figure is for a person to read.
import { readdir } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';

/** Every other file of this folder exports this. `parts` are those asked for of one that has parts; none means all. */
export type Bench = (print: (line: string) => void, parts: readonly string[]) => Promise<void>;

const here = new URL('.', import.meta.url);
const wanted = process.argv.slice(2).map(word => word.split('/', 2) as [string, string?]);
const names = (await readdir(here))
  .filter(file => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'run.ts')
  .map(file => file.slice(0, -3))
  .filter(name => wanted.length === 0 || wanted.some(([one]) => one === name))
  .sort();
if (names.length === 0) {
  console.error(`no benchmark is called ${wanted.map(([name]) => name).join(' or ')}`);
  process.exit(1);
}
console.log(
  `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'cpu'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
);
for (const name of names) {
  console.log(`\n== ${name}`);
  const { bench } = (await import(new URL(`${name}.ts`, here).href)) as { bench: Bench };
  const asked = wanted.filter(([one]) => one === name).map(([, part]) => part);
  await bench(
    line => console.log(line),
    asked.filter(part => part !== undefined),
  );
}
process.exit(0);
