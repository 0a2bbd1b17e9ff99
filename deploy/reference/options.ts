import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NotHonoured, Option, OptionGroup } from '@folsom/config';
import { must } from '@folsom/core';
import type { ConfFile } from '../conf/conf-file.ts';
import { glanceConf } from '../conf/glance.ts';
import { keystoneConf } from '../conf/keystone.ts';
import { novaConf } from '../conf/nova.ts';
import { swiftOptionFacts } from './swift-options.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Names and defaults of the originals' options, by project and section (swift: by file and section): `<None>` is not set. */
export const originalOptions = JSON.parse(
  readFileSync(new URL('original-options.json', import.meta.url), 'utf8'),
) as Record<string, Record<string, Record<string, string>>>;

export const originalSwiftOptions = originalOptions.swift as unknown as Record<
  string,
  Record<string, Record<string, string>>
>;

/** The files of a project that is configured oslo's way, and where the code is that reads them. */
export const PROJECTS: { name: string; conf: ConfFile; code: RegExp }[] = [
  { name: 'nova', conf: novaConf, code: /^(?!services\/(image|identity|object-))/ },
  { name: 'glance', conf: glanceConf, code: /^(services\/image|libs|deploy)/ },
  { name: 'keystone', conf: keystoneConf, code: /^(services\/identity|libs|deploy)/ },
];

/** An option and who acts on it, or why nobody does. */
export interface OptionFact {
  section: string;
  name: string;
  default: string;
  /** The code that reads it, as folders of the tree; empty where nothing does. */
  readers: readonly string[];
  /** Declared: of a known type, on the command line, in `--help`. */
  declared: boolean;
  notHonoured?: NotHonoured;
}

interface Source {
  folder: string;
  text: string;
}

/** Files that name options without acting on them. */
const ONLY_NAMES =
  /\.test\.ts$|^services\/[^/]+\/options\.ts$|^libs\/(config|rpc)\/options\.ts$|not-honoured\.ts$|^libs\/nova\/options\/|^deploy\/(reference|packages)\/|^deploy\/folsom\/service-conf\.ts$/;

export function sources(): Source[] {
  return ['libs', 'services', 'deploy'].flatMap(top =>
    readdirSync(join(ROOT, top), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
      .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
      .filter(path => !path.includes('node_modules') && !ONLY_NAMES.test(path))
      .map(path => ({
        folder: path.split('/').slice(0, 2).join('/'),
        text: readFileSync(join(ROOT, path), 'utf8'),
      })),
  );
}

const member = (name: string): RegExp =>
  new RegExp(`\\.${name}\\b|[{,]\\s*${name}\\s*[,:}=]|['"\`]${name}['"\`]`);

/** A word that may mean other things in the code, too. */
const isWord = (name: string): boolean => !name.includes('_');

/**
 * How a word is taken out of its group where the values of a file are at hand: `settings.host`, `config.of(novaOptions).host`,
 * `const { host } = config.of(novaOptions)`, `isSet('DEFAULT', 'host')`.
 */
function wordOf(name: string, group: string): RegExp {
  const first = group === 'DEFAULT' ? '' : (group.split('_')[0] ?? '');
  const options = `\\.of\\(\\w*${first}\\w*Options\\)`;
  const held = group === 'DEFAULT' ? '|\\b(settings|config)' : '';
  return new RegExp(
    `(${options}${held})\\.${name}\\b|\\{[^{}]*\\b${name}\\b[^{}]*\\} = [\\w.]*${options}|'${group}', '${name}'`,
    'i',
  );
}

/**
 * Who takes an option out of its group: as a member, by destructuring, or by its name in quotes. A word counts only where nothing else can
 * be meant, or beside another option of its section.
 */
function readersOf(
  name: string,
  group: string,
  beside: readonly string[],
  code: readonly Source[],
): string[] {
  const taken = isWord(name) ? wordOf(name, group) : member(name);
  const others =
    isWord(name) && group !== 'DEFAULT' ? beside.filter(other => !isWord(other)).map(member) : [];
  const loose = member(name);
  const reads = ({ text }: Source): boolean =>
    taken.test(text) || (loose.test(text) && others.some(other => other.test(text)));
  return [...new Set(code.filter(reads).map(({ folder }) => folder))].sort();
}

/** Quotas are read by the name of the resource. */
const QUOTA = /^quota_/;

/** Every option that the project's files may hold. */
export function optionFacts(project: (typeof PROJECTS)[number], all: readonly Source[]): OptionFact[] {
  const { declarations, notHonoured } = project.conf;
  const code = all.filter(({ folder }) => project.code.test(folder));
  const facts = new Map<string, OptionFact>();
  const options = declarations.flatMap(({ group, options: table }: OptionGroup) =>
    Object.entries(table).map(([name, option]) => ({ group, name, option: option as Option<unknown> })),
  );
  const defaults = [...options.map(({ option }) => option.default), ...notHonoured.map(item => item.default)];
  const refersTo = (name: string) =>
    defaults.some(value => typeof value === 'string' && value.includes(`$${name}`));
  for (const { group, name, option } of options) {
    const beside = options.filter(other => other.group === group).map(other => other.name);
    const readers = readersOf(name, group, beside, code);
    if (readers.length === 0 && refersTo(name)) readers.push('other options');
    if (readers.length === 0 && QUOTA.test(name)) readers.push('libs/nova');
    facts.set(`${group}.${name}`, {
      section: group,
      name,
      default: shownDefault(option),
      readers,
      declared: true,
    });
    for (const alias of option.aliases) {
      facts.set(`${group}.${alias}`, {
        ...must(facts.get(`${group}.${name}`), 'facts has the key'),
        name: alias,
      });
    }
  }
  for (const option of notHonoured) {
    const key = `${option.section}.${option.name}`;
    const known = facts.get(key);
    facts.set(key, {
      section: option.section,
      name: option.name,
      default: known?.default ?? shownValue(option.default),
      readers: known?.readers ?? [],
      declared: known !== undefined,
      notHonoured: option,
    });
  }
  return [...facts.values()];
}

const shownDefault = (option: Option<unknown>): string =>
  option.secret && option.default !== null ? '***' : shownValue(option.default);

/** As the originals' sample files write a value. */
export function shownValue(value: unknown): string {
  if (value === null) return '<None>';
  return Array.isArray(value) ? value.join(',') : String(value);
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** docs/options.md */
export function optionsPage(): string {
  const code = sources();
  const lines = [
    '# Options',
    '',
    'Every option of the configuration files, made by `npm run docs` from the declarations. One that has no effect is named in the',
    "log at start when a file sets it: as a warning where its value differs from the original's default and would have changed",
    'something.',
  ];
  for (const project of PROJECTS) {
    lines.push('', `## ${project.name}`, '', '| option | default | acted on by |', '| --- | --- | --- |');
    const rows = optionFacts(project, code).sort((a, b) =>
      `${a.section}.${a.name}` < `${b.section}.${b.name}` ? -1 : 1,
    );
    for (const fact of rows) {
      const label = fact.section === 'DEFAULT' ? fact.name : `[${fact.section}] ${fact.name}`;
      const who = fact.notHonoured ? `nothing: ${fact.notHonoured.reason}` : fact.readers.join(', ');
      lines.push(`| \`${label}\` | ${cell(fact.default)} | ${cell(who)} |`);
    }
  }
  lines.push('', '## swift', '', 'Options of the sample files, by file and section.', '');
  lines.push('| option | default | acted on by |', '| --- | --- | --- |');
  for (const { file, section, name, default: value, readers, reason } of swiftOptionFacts(
    originalSwiftOptions,
  )) {
    const who = reason === undefined ? readers.join(', ') : `nothing: ${reason}`;
    lines.push(`| ${file} \`[${section}] ${name}\` | ${cell(value)} | ${cell(who)} |`);
  }
  return `${lines.join('\n')}\n`;
}
