import { must } from '@folsom/core';
import type { TSchema } from 'typebox';
import type { Operation } from './operation.ts';
import { describedBy, isStream } from './shapes.ts';

/** A part of the reference page: what one port or version of a service offers. */
export interface ReferencePart {
  title: string;
  about: string;
  prefix: string;
  operations: readonly Operation<never, never>[];
  /** The status of a fault that an operation throws as it is. */
  statusOf?: (fault: string) => number | undefined;
}

/** The reference of a whole API in Markdown, made from its declarations. */
export const referencePage = (parts: readonly ReferencePart[]): string => parts.map(partText).join('\n');

function partText({ title, about, prefix, operations, statusOf = () => undefined }: ReferencePart): string {
  const rows = operations.flatMap(operation =>
    [operation.path, ...(operation.aliases ?? [])].map(path =>
      row(operation, prefix + path || '/', statusOf),
    ),
  );
  return [
    `## ${title}`,
    '',
    about,
    '',
    '| request | what it does | who may | query and body | answers |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function row(operation: Operation<never, never>, url: string, statusOf: StatusOf): string {
  const { name, about, method, key, ports, types } = operation;
  const request = `\`${method} ${url}\`${key === undefined ? '' : ` \`${key}\``}`;
  const where = ports && ports.length < 2 ? ` (${ports.join(', ')} port)` : '';
  return `| ${[request, `\`${name}\`${where}: ${about ?? ''}`, who(operation), sent(operation, types), answers(operation, statusOf)].join(' | ')} |`;
}

const who = ({ public: open, policy }: Operation<never, never>): string => {
  if (open) return 'anyone';
  return policy === null ? 'any valid token' : `\`${policy}\``;
};

function sent({ query, body }: Operation<never, never>, types: readonly string[] | undefined): string {
  const texts: string[] = [];
  if (query) texts.push(`? ${code(shapeText(query))}`);
  if (isStream(body)) texts.push('bytes');
  else if (body) texts.push(code(shapeText(must(describedBy(body), 'describedBy gives something'))));
  if (types) texts.push(`as ${types.map(code).join(' or ')}`);
  return texts.join(', ');
}

type StatusOf = NonNullable<ReferencePart['statusOf']>;

/** `200 `{ server: … }`; 404: `InstanceNotFound``: the status when all went well, with what is in the answer, then the faults by theirs. */
function answers(
  { answers: status, view, faults = {}, throws = [] }: Operation<never, never>,
  statusOf: StatusOf,
): string {
  const statuses = new Map<number, string[]>();
  const add = (fault: string, answered: number) =>
    statuses.set(answered, [...(statuses.get(answered) ?? []), code(fault)]);
  for (const [fault, answer] of Object.entries(faults)) {
    if (answer !== undefined) add(fault, typeof answer === 'number' ? answer : answer[0]);
  }
  for (const fault of throws)
    add(fault, must(statusOf(fault), 'a fault that is thrown as it is has a status'));
  const refused = [...statuses].sort(([a], [b]) => a - b);
  const good = view?.keys === undefined ? status : `${status} ${code(view.keys)}`;
  return [good, ...refused.map(([answered, names]) => `${answered}: ${names.sort().join(', ')}`)].join('; ');
}

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

interface Node {
  type?: string;
  /** A word for what its parts say at length. */
  title?: string;
  const?: unknown;
  anyOf?: TSchema[];
  properties?: Record<string, TSchema>;
  required?: readonly string[];
  patternProperties?: Record<string, TSchema>;
  items?: TSchema;
  maxLength?: number;
  description?: string;
}

/** A shape in a line: `{ name: text(64), enabled? }`. */
function shapeText(shape: TSchema): string {
  const node = shape as Node;
  if (node.title !== undefined) return node.title;
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.anyOf) return alternatives(node.anyOf);
  if (node.properties && Object.keys(node.properties).length > 0) {
    const fields = Object.entries(node.properties).map(([name, part]) => {
      const label = `${name}${node.required?.includes(name) ? '' : '?'}`;
      const text = shapeText(part);
      return text === 'anything' ? label : `${label}: ${text}`;
    });
    return `{ ${fields.join(', ')} }`;
  }
  if (node.patternProperties)
    return `{ …: ${shapeText(must(Object.values(node.patternProperties)[0], 'values is not empty'))} }`;
  if (node.type === 'array') return `[ ${node.items ? shapeText(node.items) : ''} … ]`;
  if (node.type === 'object') return '{ … }';
  if (node.type === 'string') return node.maxLength === undefined ? 'text' : `text(${node.maxLength})`;
  return node.type ?? 'anything';
}

/** Null goes without saying where something may be left out; several of one kind are one. */
function alternatives(parts: readonly TSchema[]): string {
  const texts = [...new Set(parts.map(shapeText))].filter(text => text !== 'null');
  return texts.join(' | ');
}
