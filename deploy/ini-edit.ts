/** The section that a line begins. */
export const sectionOf = (line: string): string | undefined => /^\[([^\]]+)\]/.exec(line)?.[1]?.trim();

/** Whether a line sets the option; hyphens and underscores are the same. */
export const isOption = (line: string, name: string): boolean =>
  new RegExp(`^${name.replace(/[^\w-]/g, '\\$&').replaceAll('_', '[-_]')}\\s*[=:]`).test(line);

/** The text of a file with an option set or, without a value, taken out. Comments and order stay. */
export function withOption(text: string, group: string, name: string, value: string | undefined): string {
  const lines = text.replace(/\n$/, '').split('\n');
  const kept: string[] = [];
  let section: string | undefined;
  let dropping = false;
  /** Where a new line of the section goes: behind its last line that is not empty. */
  let end = -1;
  for (const line of lines) {
    section = sectionOf(line) ?? section;
    // Continuation lines belong to the option before them.
    if (dropping && /^[ \t]+\S/.test(line)) continue;
    dropping = section === group && isOption(line, name);
    if (dropping) continue;
    kept.push(line);
    if (section === group && line.trim() !== '') end = kept.length;
  }
  if (value === undefined) return `${kept.join('\n')}\n`;
  const added = `${name} = ${value}`;
  if (end < 0) kept.push(...(kept.at(-1) === '' ? [] : ['']), `[${group}]`, added);
  else kept.splice(end, 0, added);
  return `${kept.join('\n')}\n`;
}

/** The text without a whole section; undefined where it has none of that name. */
export function withoutSection(text: string, group: string): string | undefined {
  const lines = text.replace(/\n$/, '').split('\n');
  let section: string | undefined;
  const kept = lines.filter(line => {
    section = sectionOf(line) ?? section;
    return section !== group;
  });
  return kept.length === lines.length ? undefined : `${kept.join('\n')}\n`;
}
