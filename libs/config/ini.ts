import { readFileSync } from 'node:fs';
import { must } from '@folsom/core';
import { ConfigError } from './errors.ts';

/** One assignment. Continuation lines are joined with newlines. */
export interface IniEntry {
  key: string;
  value: string;
  /** Line of the key, from 1. */
  line: number;
}

export interface IniSection {
  name: string;
  line: number;
  /** In the order of the file; a key may occur several times. */
  entries: IniEntry[];
}

export interface IniFile {
  file: string;
  /** In the order of the file; one object per name, even when the header is repeated. */
  sections: IniSection[];
  /** The section of that name. */
  section(name: string): IniSection | undefined;
}

/**
 * `oslo`: nova.conf and its kin. A value may stand in quotes; `;` inside a value belongs to it.
 * `paste`: api-paste.ini, proxy-server.conf and swift.conf. A ` ;` starts a comment inside a value.
 */
export type IniDialect = 'oslo' | 'paste';

/** Largest configuration file read. */
const INI_BYTES_MAX = 4 * 1024 * 1024;

/** Reads a file as {@link parseIni} does; a missing or unreadable file is a {@link ConfigError}. */
export function readIni(file: string, dialect: IniDialect = 'paste'): IniFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : String(error);
    throw new ConfigError(`${file}: cannot read the configuration: ${reason}`);
  }
  if (bytes.length > INI_BYTES_MAX) throw new ConfigError(`${file}: larger than ${INI_BYTES_MAX} bytes`);
  return parseIni(bytes.toString('utf8'), file, dialect);
}

/** Splits the text of a configuration file into sections and assignments. */
export function parseIni(text: string, file: string, dialect: IniDialect = 'paste'): IniFile {
  const byName = new Map<string, IniSection>();
  let section: IniSection | undefined;
  let entry: IniEntry | undefined;
  const fail = (line: number, problem: string, source: string): never => {
    throw new ConfigError(`${file}:${line}: ${problem}: ${JSON.stringify(source.trim().slice(0, 80))}`);
  };

  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (const [index, raw] of lines.entries()) {
    const number = index + 1;
    const line = raw.trimEnd();
    if (line === '') {
      entry = undefined;
    } else if (line[0] === '#' || line[0] === ';') {
      // A comment between a key and its continuation does not end the value in paste files.
      if (dialect === 'oslo') entry = undefined;
    } else if (line[0] === ' ' || line[0] === '\t') {
      const more = dialect === 'paste' ? stripInlineComment(line.trim()) : line.trim();
      if (/^[#;]/.test(line.trim())) continue;
      if (!entry) fail(number, 'a continuation line without an option before it', line);
      else if (more !== '') entry.value = entry.value === '' ? more : `${entry.value}\n${more}`;
    } else if (line[0] === '[') {
      const close = line.indexOf(']');
      const name = close < 0 ? '' : line.slice(1, close).trim();
      if (name === '') fail(number, 'a section header that is not [name]', line);
      section = byName.get(name) ?? { name, line: number, entries: [] };
      byName.set(name, section);
      entry = undefined;
    } else {
      const split = /[=:]/.exec(line);
      if (!split || split.index === 0) fail(number, 'neither a section, an option nor a comment', line);
      const at = must(split, 'split is there').index;
      if (!section) fail(number, 'an option before the first [section]', line);
      const value = line.slice(at + 1).trim();
      entry = {
        key: line.slice(0, at).trim(),
        value: dialect === 'oslo' ? unquote(value) : stripInlineComment(value),
        line: number,
      };
      must(section, 'section is there').entries.push(entry);
    }
  }
  return { file, sections: [...byName.values()], section: name => byName.get(name) };
}

function unquote(value: string): string {
  const first = value[0];
  const quoted = value.length > 1 && (first === '"' || first === "'") && value.at(-1) === first;
  return quoted ? value.slice(1, -1) : value;
}

function stripInlineComment(value: string): string {
  const at = value.search(/(^|\s);/);
  return at < 0 ? value : value.slice(0, at).trimEnd();
}
