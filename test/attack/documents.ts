import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Random, seededRandom } from '@folsom/core';
import { type AttackedCloud, eachOf, loginOf, startAttackedCloud } from './cloud.ts';
import { askEc2, askStore, type Ec2Keys } from './ec2-signing.ts';
import { type Estate, keysOf, makeEstate } from './estate.ts';
import { INNER } from './inner.ts';
import type { Part } from './part.ts';
import { type Declared, declared, filled } from './samples.ts';

const CANARY = 'canary-of-the-documents';
const ANSWER_MS = 30_000;
/** What reading one of these may leave behind: the smallest of the bombs would be gigabytes. */
const GROWN_MAX = 512 * 1024 ** 2;
const MANY = 100_000;

interface Document {
  name: string;
  /** `thing` is the name of the outermost element or key. */
  text(thing: string, canary: string): string;
}

const declaration =
  (subset: string, body: (thing: string) => string): Document['text'] =>
  thing =>
    `<?xml version="1.0"?><!DOCTYPE ${thing} [${subset}]>${body(thing)}`;
const entities = (levels: number, each: number) =>
  ['<!ENTITY e0 "boom">', ...Array.from({ length: levels }, (_none, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(each)}">`)].join(''); // biome-ignore format: one expression

/** Documents that grow when they are read, name other files, or go deeper than a reader can. */
const XML: readonly Document[] = [
  { name: 'entities of entities', text: declaration(entities(10, 10), thing => `<${thing} name="&e10;">&e10;</${thing}>`) },
  { name: 'a long entity, often', text: declaration(`<!ENTITY a "${'a'.repeat(50_000)}">`, thing => `<${thing}>${'&a;'.repeat(50_000)}</${thing}>`) },
  { name: 'an entity of itself', text: declaration('<!ENTITY a "&b;"><!ENTITY b "&a;">', thing => `<${thing}>&a;</${thing}>`) },
  { name: 'a file', text: (thing, canary) => declaration(`<!ENTITY f SYSTEM "file://${canary}">`, () => `<${thing} name="x">&f;</${thing}>`)(thing, canary) },
  { name: 'a file in a parameter', text: (thing, canary) => declaration(`<!ENTITY % f SYSTEM "file://${canary}"> %f;`, () => `<${thing}/>`)(thing, canary) },
  { name: 'a file that is included', text: (thing, canary) => `<${thing} xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include parse="text" href="file://${canary}"/></${thing}>` },
  { name: 'a style sheet', text: (thing, canary) => `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="file://${canary}"?><${thing}/>` },
  { name: 'depth', text: thing => `<${thing}>${'<a>'.repeat(MANY)}${'</a>'.repeat(MANY)}</${thing}>` },
  { name: 'depth without an end', text: thing => `<${thing}>${'<a>'.repeat(MANY)}` },
  { name: 'attributes', text: thing => `<${thing} ${Array.from({ length: MANY }, (_none, n) => `a${n}="1"`).join(' ')}/>` },
  { name: 'children', text: thing => `<${thing}>${'<a/>'.repeat(MANY)}</${thing}>` },
  { name: 'prefixes', text: thing => `<${thing} ${Array.from({ length: 20_000 }, (_none, n) => `xmlns:p${n}="urn:${n}"`).join(' ')}>${'<p1:a p2:b="c"/>'.repeat(20_000)}</${thing}>` },
  { name: 'names of objects', text: thing => `<${thing} __proto__="x" constructor="y"><__proto__><admin>true</admin></__proto__><constructor><prototype/></constructor></${thing}>` },
  { name: 'references', text: thing => `<${thing} name="${'&#x26;'.repeat(50_000)}">&#0;&#xFFFF;&#x110000;&#-1;&unknown;</${thing}>` },
  { name: 'sections without an end', text: thing => `<${thing}><![CDATA[${']]'.repeat(50_000)}` },
  { name: 'a comment without an end', text: thing => `<!--${'-'.repeat(MANY)}<${thing}/>` },
  { name: 'another encoding', text: thing => `<?xml version="1.0" encoding="UTF-7"?><${thing}>+ADw-script+AD4-</${thing}>` },
  { name: 'UTF-16', text: thing => Buffer.from(`\ufeff<${thing}/>`, 'utf16le').toString('latin1') },
  { name: 'no XML at all', text: () => '<'.repeat(MANY) },
  { name: 'a broken name', text: thing => `<${thing} =""><//><></${thing}>` },
]; // biome-ignore format: a table

const JSONS: readonly Document[] = [
  { name: 'lists in lists', text: thing => `{"${thing}": ${'['.repeat(MANY)}${']'.repeat(MANY)}}` },
  { name: 'objects in objects', text: thing => `{"${thing}": ${'{"a":'.repeat(MANY)}1${'}'.repeat(MANY)}}` },
  { name: 'lists without an end', text: thing => `{"${thing}": ${'['.repeat(MANY)}` },
  { name: 'a long number', text: thing => `{"${thing}": {"id": ${'9'.repeat(MANY)}, "size": 1e${'9'.repeat(1000)}}}` },
  { name: 'keys', text: thing => `{"${thing}": {${Array.from({ length: MANY }, (_none, n) => `"k${n}":${n}`).join(',')}}}` },
  { name: 'a key twice', text: thing => `{"${thing}": {"name": "a", "name": {"b": 1}}, "${thing}": []}` },
  { name: 'names of objects', text: thing => `{"__proto__": {"admin": true}, "${thing}": {"__proto__": {"name": "x"}, "constructor": {"prototype": {"y": 1}}}}` },
  { name: 'half characters', text: thing => `{"${thing}": {"name": "\\ud800", "\\udfff": "\\u0000"}}` },
  { name: 'no JSON at all', text: () => '"'.repeat(MANY) },
  { name: 'a text', text: thing => `"${thing}"` },
]; // biome-ignore format: a table

/** The element that stands outermost in what an operation takes: what its path names, in the singular. */
const thingOf = ({ pattern }: Declared): string =>
  pattern.split('/').findLast(segment => /^[a-z][\w-]*$/i.test(segment))?.replace(/s$/, '') ?? 'thing'; // biome-ignore format: one expression

interface Stage {
  cloud: AttackedCloud;
  estate: Estate;
  random: Random;
  canary: string;
  keys: Ec2Keys;
}

/** A bundle whose manifest is such a document. */
async function sendManifest({ cloud, canary, keys }: Stage, document: Document, n: number) {
  const name = `/attack/m${n}.manifest.xml`;
  const stored = await askStore(cloud, keys, 'PUT', name, document.text('manifest', canary));
  if (stored.status !== 200) return { answer: stored, shown: `objectstore PUT ${name}: ${document.name}` };
  const answer = await askEc2(cloud, keys, { Action: 'RegisterImage', ImageLocation: name.slice(1) });
  return { answer, shown: `ec2 RegisterImage of ${document.name}` };
}

async function sendBody(stage: Stage, operation: Declared, document: Document, xml: boolean) {
  const { cloud, estate, canary } = stage;
  const login = loginOf(operation.to, cloud.admin);
  const path = filled(operation.pattern, estate.ids, cloud.admin.tenant, null);
  const type = xml ? 'application/xml' : 'application/json';
  const answer = await cloud.ask(operation.to, operation.method, path, {
    ...login,
    headers: { ...login.headers, 'content-type': type, accept: type },
    body: document.text(thingOf(operation), canary),
    timeoutMs: ANSWER_MS,
  });
  return { answer, shown: `${operation.to} ${operation.method} ${path}: ${document.name}` };
}

/**
 * Documents that are bombs, in every place that reads one: the bodies of every operation and the manifests of bundles.
 * Each is answered in time and never by an error of ours, none brings a file of the host out, and none of them makes the
 * process grow.
 */
export const part: Part = {
  name: 'documents',
  share: 3,
  async run({ seed, count, report }) {
    const random = seededRandom(seed);
    const cloud = await startAttackedCloud();
    try {
      const folder = join(cloud.dir, 'canary');
      await mkdir(folder, { recursive: true });
      const canary = join(folder, 'secret');
      await writeFile(canary, CANARY);
      const estate = await makeEstate(cloud, cloud.alice, 'alice');
      const keys = await keysOf(cloud, cloud.alice);
      const stage: Stage = { cloud, estate, random, canary, keys };
      const bucket = await askStore(cloud, keys, 'PUT', '/attack');
      if (bucket.status !== 200) throw new Error(`no bucket: ${bucket.status} ${bucket.text}`);
      const targets = declared(cloud).filter(
        ({ method, pattern }) => /^(POST|PUT|PATCH)$/.test(method) && !pattern.includes('*'),
      );
      const before = process.memoryUsage().rss;
      const tally: Record<string, number> = {};
      const problems: string[] = [];
      const attempt = async (n: number) => {
        const xml = random.int(3) > 0;
        const document = (xml ? XML : JSONS)[random.int(xml ? XML.length : JSONS.length)]!;
        const sent =
          n % 8 === 0
            ? sendManifest(stage, XML[Math.floor(n / 8) % XML.length]!, n)
            : sendBody(stage, targets[random.int(targets.length)]!, document, xml);
        const found = await sent.catch((error: unknown) => void problems.push(`${document.name}: ${error}`));
        if (!found) return;
        const { answer, shown } = found;
        const kind = `${Math.floor(answer.status / 100)}xx`;
        tally[kind] = (tally[kind] ?? 0) + 1;
        if (answer.status >= 500 && answer.status !== 501)
          problems.push(`an error of its own: ${shown}: ${answer.status} ${answer.text.slice(0, 300)}`);
        const inner = INNER.exec(answer.text)?.[0];
        if (inner !== undefined) problems.push(`says "${inner}": ${shown}`);
        if (answer.text.includes(CANARY)) problems.push(`shows a file of the host: ${shown}`);
      };
      await eachOf(Array.from({ length: count }, (_none, n) => n), 4, attempt); // biome-ignore format: one call
      const grown = process.memoryUsage().rss - before;
      if (grown > GROWN_MAX) problems.push(`${Math.round(grown / 1024 ** 2)} MiB more than before`);
      if (({} as Record<string, unknown>).admin !== undefined)
        problems.push('the prototype of objects was changed');
      if (problems.length > 0)
        throw new Error(`seed ${seed}, ${problems.length} problems:\n${problems.join('\n')}`);
      report(
        `documents: ${count} to ${targets.length} operations and manifests, seed ${seed}: ${JSON.stringify(tally)}`,
      );
      return count;
    } finally {
      await cloud.stop();
    }
  },
};
