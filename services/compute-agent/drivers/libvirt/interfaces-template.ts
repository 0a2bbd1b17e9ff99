/**
 * The part of Cheetah's language that templates of `injected_network_template` are written in: `$name`, `${name.part}`,
 * and lines of `#for $one in $many`, `#if`, `#elif`, `#else`, `#end for`, `#end if` and `## remarks`. Conditions know `not`,
 * `and`, `or`, `==`, `!=` and literals. Everything else of it is refused: a file that means something else than it says
 * would leave a guest without a network.
 */
export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | TemplateValue[]
  | { [name: string]: TemplateValue };
type Scope = Readonly<Record<string, TemplateValue>>;

type Part =
  | { kind: 'text'; line: string; at: number }
  | { kind: 'for'; name: string; of: string; at: number; body: Part[] }
  | { kind: 'if'; branches: { condition: string | null; body: Part[] }[]; at: number };

const PATH = String.raw`[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*`;
const PLACEHOLDER = new RegExp(String.raw`\\([$#\\])|\$\{\s*(${PATH})\s*\}|\$(${PATH})`, 'g');
const DIRECTIVE = /^[ \t]*#(for|if|elif|else if|else|end for|end if)\b[ \t]*(.*?)[ \t]*:?[ \t]*$/;
/** Cheetah's words where they are not alone on their line, its other words, and what is more than a name in brackets. */
const UNKNOWN = new RegExp(
  String.raw`(?<!\\)(?:#(?:for|if|elif|else|end|set|del|def|block|include|import|from|extends|implements|attr|while|repeat|try|except|raise|assert|silent|echo|filter|unless|slurp|raw|compiler|cache|call|super|return|break|continue|stop|pass)\b|\$\{(?!\s*${PATH}\s*\})|\$\()`,
);

/** @throws Error that names the line of what cannot be read */
export function renderTemplate(text: string, values: Scope): string {
  const lines = text.split('\n');
  const reader = { lines, at: 0 };
  const parts = partsUntil(reader, []);
  return parts.map(part => renderPart(part, values)).join('');
}

/** Reads on to one of the words in `ends`, or to the end of the text where none is expected. */
function partsUntil(reader: { lines: string[]; at: number }, ends: readonly string[]): Part[] {
  const parts: Part[] = [];
  while (reader.at < reader.lines.length) {
    const at = reader.at;
    const line = reader.lines[at] ?? '';
    const last = at === reader.lines.length - 1;
    const [, word, rest = ''] = DIRECTIVE.exec(line) ?? [];
    if (word !== undefined) {
      if (ends.includes(word)) return parts;
      reader.at++;
      if (word === 'for') parts.push(loop(reader, rest, at));
      else if (word === 'if') parts.push(choice(reader, rest, at));
      else throw wrong(at, `#${word} without its beginning`);
      continue;
    }
    reader.at++;
    if (/^[ \t]*##/.test(line)) continue;
    if (UNKNOWN.test(line)) throw wrong(at, 'a directive that is not known here');
    parts.push({ kind: 'text', line: last ? line : `${line}\n`, at });
  }
  if (ends.length > 0) throw wrong(reader.lines.length - 1, `no #${ends.at(-1)}`);
  return parts;
}

function loop(reader: { lines: string[]; at: number }, rest: string, at: number): Part {
  const [, name, of] = new RegExp(String.raw`^\$?([A-Za-z_]\w*) in \$?(${PATH})$`).exec(rest) ?? [];
  if (name === undefined || of === undefined) throw wrong(at, '#for is written `#for $one in $many`');
  const body = partsUntil(reader, ['end for']);
  reader.at++;
  return { kind: 'for', name, of, at, body };
}

function choice(reader: { lines: string[]; at: number }, rest: string, at: number): Part {
  const branches: { condition: string | null; body: Part[] }[] = [];
  let condition: string | null = rest;
  for (;;) {
    branches.push({ condition, body: partsUntil(reader, ['elif', 'else if', 'else', 'end if']) });
    const [, word, next = ''] = DIRECTIVE.exec(reader.lines[reader.at] ?? '') ?? [];
    reader.at++;
    if (word === 'end if') return { kind: 'if', branches, at };
    if (condition === null) throw wrong(reader.at - 1, `#${word} after #else`);
    condition = word === 'else' ? null : next;
  }
}

function renderPart(part: Part, scope: Scope): string {
  const inner = (body: Part[], within: Scope) => body.map(one => renderPart(one, within)).join('');
  if (part.kind === 'text') {
    return part.line.replace(PLACEHOLDER, (_all, escaped?: string, braced?: string, bare?: string) =>
      escaped === undefined ? textOf(valueAt(braced ?? bare ?? '', scope, part.at), part.at) : escaped,
    );
  }
  if (part.kind === 'for') {
    const many = valueAt(part.of, scope, part.at);
    if (!Array.isArray(many)) throw wrong(part.at, `$${part.of} is no list`);
    return many.map(one => inner(part.body, { ...scope, [part.name]: one })).join('');
  }
  const found = part.branches.find(
    ({ condition }) => condition === null || truth(evaluate(condition, scope, part.at)),
  );
  return found === undefined ? '' : inner(found.body, scope);
}

const TOKEN = new RegExp(String.raw`\s*(==|!=|\(|\)|'[^']*'|"[^"]*"|\d+|\$?\{?${PATH}\}?)`, 'y');

/** A condition, its operators as in Python: `or` binds least, then `and`, `not`, comparisons. */
function evaluate(condition: string, scope: Scope, at: number): TemplateValue {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let from = 0; from < condition.trimEnd().length; from = TOKEN.lastIndex) {
    const token = TOKEN.exec(condition)?.[1];
    if (token === undefined) throw wrong(at, `the condition \`${condition}\` cannot be read`);
    tokens.push(token);
  }
  const either = (): TemplateValue => {
    let left = both();
    while (tokens[0] === 'or') {
      tokens.shift();
      const right = both();
      left = truth(left) ? left : right;
    }
    return left;
  };
  const both = (): TemplateValue => {
    let left = negated();
    while (tokens[0] === 'and') {
      tokens.shift();
      const right = negated();
      left = truth(left) ? right : left;
    }
    return left;
  };
  const negated = (): TemplateValue => {
    if (tokens[0] !== 'not') return compared();
    tokens.shift();
    return !truth(negated());
  };
  const compared = (): TemplateValue => {
    const left = single();
    if (tokens[0] !== '==' && tokens[0] !== '!=') return left;
    const equal = tokens.shift() === '==';
    return (left === single()) === equal;
  };
  const single = (): TemplateValue => {
    const token = tokens.shift();
    if (token === '(') {
      const value = either();
      if (tokens.shift() !== ')') throw wrong(at, `the condition \`${condition}\` lacks a bracket`);
      return value;
    }
    if (token === undefined || /^[)=!]/.test(token))
      throw wrong(at, `the condition \`${condition}\` cannot be read`);
    if (/^['"]/.test(token)) return token.slice(1, -1);
    if (/^\d/.test(token)) return Number(token);
    return CONSTANTS.get(token) ?? valueAt(token.replace(/[${}]/g, ''), scope, at);
  };
  const value = either();
  if (tokens.length > 0) throw wrong(at, `the condition \`${condition}\` cannot be read`);
  return value;
}
const CONSTANTS: ReadonlyMap<string, TemplateValue> = new Map([
  ['True', true],
  ['False', false],
]);

function valueAt(path: string, scope: Scope, at: number): TemplateValue {
  let value: TemplateValue | undefined = { ...scope };
  for (const name of path.split('.')) {
    const known: boolean =
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name);
    if (!known) throw wrong(at, `$${path}, which nobody knows`);
    value = (value as Record<string, TemplateValue>)[name];
  }
  return value as TemplateValue;
}

/** As Python prints it; nothing for what is not there. */
function textOf(value: TemplateValue, at: number): string {
  if (value === null) return '';
  if (typeof value === 'object') throw wrong(at, 'a list or a group of values cannot be written');
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return String(value);
}

const truth = (value: TemplateValue): boolean =>
  Array.isArray(value)
    ? value.length > 0
    : typeof value === 'object' && value !== null
      ? true
      : Boolean(value);

const wrong = (at: number, what: string): Error =>
  new Error(`injected_network_template, line ${at + 1}: ${what}`);
