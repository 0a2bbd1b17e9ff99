import { readFile, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Config, companionsOf, type Option, showOrigin } from '@folsom/config';
import { isOption, sectionOf, withOption } from '../ini-edit.ts';
import type { Print } from './commands.ts';
import type { Layout } from './layout.ts';
import type { Setting } from './part.ts';
import { confPath, readServiceConf, SERVICE_CONFS, type ServiceConf } from './service-conf.ts';

/** One option of one service: `nova.api_rate_limit`, `keystone.token.expiration`. */
export interface OptionName {
  conf: ServiceConf;
  group: string;
  name: string;
  option: Option<unknown>;
}

const services = SERVICE_CONFS.map(({ name }) => name).join(', ');

/** @throws Error with one sentence for a name that nothing has */
export function parseOptionName(text: string): OptionName {
  const parts = text.split('.');
  const conf = SERVICE_CONFS.find(({ name }) => name === parts[0]);
  if (!conf || parts.length < 2 || parts.length > 3)
    throw new Error(
      `${text} is no option; write SERVICE.OPTION or SERVICE.SECTION.OPTION, SERVICE one of ${services}`,
    );
  const name = parts.at(-1) as string;
  const group = parts.length === 3 ? (parts[1] as string) : 'DEFAULT';
  for (const declared of conf.declarations) {
    const option = declared.group === group ? declared.options[name] : undefined;
    if (option) return { conf, group, name, option };
  }
  const elsewhere = conf.declarations.find(({ options }) => name in options)?.group;
  throw new Error(
    `${conf.file} has no option ${name}${group === 'DEFAULT' ? '' : ` in [${group}]`}` +
      (elsewhere === undefined ? '' : `; there is ${labelOf(conf, elsewhere, name)}`),
  );
}

/** `NAME=VALUE` of `folsom up --set`. @throws Error with one sentence */
export function parseSetting(text: string): Setting {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`--set ${text}: write SERVICE.OPTION=VALUE`);
  const { conf, group, name } = parseOptionName(text.slice(0, at).trim());
  return { service: conf.name, group, name, text: text.slice(at + 1).trim() };
}

const labelOf = (conf: ServiceConf, group: string, name: string): string =>
  group === 'DEFAULT' ? `${conf.name}.${name}` : `${conf.name}.${group}.${name}`;

const shownValue = (value: unknown): string =>
  value === null ? '' : Array.isArray(value) ? value.join(',') : String(value);

/** Prints every option with its value and where it comes from; `changed`: only those that are not as Folsom has them. */
export async function listConfig(
  layout: Layout,
  which: { service?: string | undefined; changed: boolean },
  print: Print,
): Promise<number> {
  const chosen = SERVICE_CONFS.filter(({ name }) => which.service === undefined || name === which.service);
  if (chosen.length === 0) throw new Error(`there are the services ${services}, and no ${which.service}`);
  for (const conf of chosen) {
    const config = await configOf(layout, conf);
    const values = config.dump();
    for (const [group, options] of Object.entries(values)) {
      for (const [name, value] of Object.entries(options).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
        const source = sourceOf(layout, conf, config, group, name);
        if (which.changed && source === 'default') continue;
        print(`${labelOf(conf, group, name)} = ${shownValue(value)}   (${source})`);
      }
    }
  }
  return 0;
}

/** Prints the value of one option as the next start sees it. */
export async function getConfig(layout: Layout, text: string, print: Print): Promise<number> {
  const { conf, group, name } = parseOptionName(text);
  const config = await configOf(layout, conf);
  print(shownValue(config.dump()[group]?.[name]));
  return 0;
}

/**
 * Writes an option into the operator's file, or takes it out of it (`value` undefined); everything else in the file stays.
 * A value of the wrong kind leaves the file as it was.
 */
export async function setConfig(
  layout: Layout,
  text: string,
  value: string | undefined,
  print: Print,
): Promise<number> {
  const { conf, group, name } = parseOptionName(text);
  const path = confPath(layout, conf);
  if (value !== undefined && /[\r\n]/.test(value)) throw new Error('a value is one line');
  await configOf(layout, conf);
  const label = labelOf(conf, group, name);
  const decided = await readFile(companionsOf(path).decided, 'utf8');
  if (sourceIsDecided(decided, group, name))
    throw new Error(`${label} is decided by "folsom up" itself; see its options (folsom up --help)`);
  if (value !== undefined) checkValue(layout, { service: conf.name, group, name, text: value });
  const before = await readFile(path, 'utf8');
  const after = withOption(before, group, name, value);
  if (after !== before) {
    await writeFile(`${path}.new`, after, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
  print(
    value === undefined
      ? `${label} has its default again at the next start`
      : `${label} = ${value} from the next start on (${path})`,
  );
  return 0;
}

function checkValue(layout: Layout, setting: Setting): void {
  try {
    readServiceConf(layout, setting.service, [setting]);
  } catch (error) {
    throw new Error((error as Error).message.replace(/^--set: /, ''));
  }
}

async function configOf(layout: Layout, conf: ServiceConf): Promise<Config> {
  const path = confPath(layout, conf);
  await readFile(path).catch(() => {
    throw new Error(`${path} does not exist: start the cloud once with "folsom up"`);
  });
  return readServiceConf(layout, conf.name);
}

function sourceOf(layout: Layout, conf: ServiceConf, config: Config, group: string, name: string): string {
  const origin = config.given(group, name).at(-1)?.origin;
  if (origin === undefined) return 'default';
  const { defaults, decided } = companionsOf(confPath(layout, conf));
  if (origin.file === defaults) return 'default of one machine';
  if (origin.file === decided) return 'decided by folsom up';
  return showOrigin({ ...origin, file: join('etc', basename(origin.file)) });
}

function sourceIsDecided(text: string, group: string, name: string): boolean {
  let section: string | undefined;
  return text.split('\n').some(line => {
    section = sectionOf(line) ?? section;
    return section === group && isOption(line, name);
  });
}
