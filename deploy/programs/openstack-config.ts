import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { parseIni } from '@folsom/config';
import { must } from '@folsom/core';
import { withOption, withoutSection } from '../ini-edit.ts';

const USAGE = `Usage: openstack-config --set CONFIG_FILE SECTION PARAMETER [VALUE]
       openstack-config --get CONFIG_FILE SECTION PARAMETER
       openstack-config --has CONFIG_FILE SECTION [PARAMETER]
       openstack-config --del CONFIG_FILE SECTION [PARAMETER]

Sets, prints, looks for or deletes a parameter of a configuration file. Comments, order, owner and mode of the file stay.
`;

/** openstack-config: one parameter of an INI file, as the distributions' own program of that name. */
export async function main(argv: string[]): Promise<number> {
  const [action, file, section, parameter, value = ''] = argv;
  if (action === '--help' || action === '-h') {
    process.stdout.write(USAGE);
    return 0;
  }
  const needed = action === '--set' || action === '--get' ? 4 : 3;
  const most = action === '--set' ? 5 : 4;
  const known = action !== undefined && ['--set', '--get', '--has', '--del'].includes(action);
  if (!known || argv.length < needed || argv.length > most || file === undefined || section === undefined) {
    process.stderr.write(USAGE);
    return 1;
  }
  const text = existsSync(file) || action !== '--set' ? readFileSync(file, 'utf8') : '';
  if (action === '--set') {
    if (/[\r\n]/.test(value)) return say('a value is one line');
    replaceText(file, text, withOption(text, section, must(parameter, 'parameter is there'), value));
    return 0;
  }
  const entries = parseIni(text, file).section(section)?.entries;
  if (entries === undefined) return action === '--has' ? 1 : say(`Section not found: ${section}`);
  if (parameter === undefined) {
    if (action === '--del') replaceText(file, text, withoutSection(text, section) ?? text);
    return 0;
  }
  const found = entries.findLast(({ key }) => key.replaceAll('-', '_') === parameter.replaceAll('-', '_'));
  if (found === undefined) return action === '--has' ? 1 : say(`Parameter not found: ${parameter}`);
  if (action === '--get') process.stdout.write(`${found.value}\n`);
  if (action === '--del') replaceText(file, text, withOption(text, section, parameter, undefined));
  return 0;
}

function say(message: string): number {
  process.stderr.write(`${message}\n`);
  return 1;
}

/** Whoever reads the file meanwhile has the old one or the new one, whole. */
function replaceText(file: string, before: string, after: string): void {
  if (after === before) return;
  const mode = existsSync(file) ? statSync(file).mode & 0o777 : 0o640;
  writeFileSync(`${file}.new`, after, { mode });
  renameSync(`${file}.new`, file);
}
