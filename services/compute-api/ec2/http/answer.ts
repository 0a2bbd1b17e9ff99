import { escapeAll } from '@folsom/wire';

/** What an answer holds: elements by name, lists of `item`s, texts. Nothing is an empty element. */
export type View = string | number | boolean | null | undefined | readonly View[] | ViewElements | Written;
export interface ViewElements {
  readonly [name: string]: View;
}

/** What was written before, and stands as it is. */
export class Written {
  readonly xml: string;
  constructor(xml: string) {
    this.xml = xml;
  }
}

/** Elements, or items of a list, of an answer that is given again and again while nothing in it changes. */
export function written(view: readonly View[] | ViewElements): Written {
  const parts: string[] = [];
  if (isList(view)) for (const item of view) write(parts, 'item', item);
  else for (const [name, inner] of Object.entries(view)) write(parts, name, inner);
  return new Written(parts.join(''));
}

/** The whole answer of an action; `true` is Folsom's `<return>true</return>`. */
export type ActionAnswer = true | ViewElements;

/** `2012-09-27T10:00:00.000Z` */
export const ec2Time = (ms: number | null | undefined): string | null =>
  ms === null || ms === undefined ? null : new Date(ms).toISOString();

/** Writes an answer as Folsom does: in the namespace of the version that the client speaks. */
export function answerXml(action: string, version: string, requestId: string, answer: ActionAnswer): string {
  const parts: string[] = [
    '<?xml version="1.0" ?><',
    action,
    'Response xmlns="http://ec2.amazonaws.com/doc/',
    escapeAll(version),
    '/"><requestId>',
    requestId,
    '</requestId>',
  ];
  for (const [name, view] of Object.entries(answer === true ? { return: true } : answer))
    write(parts, name, view);
  parts.push('</', action, 'Response>');
  return parts.join('');
}

const isList = (view: readonly View[] | ViewElements): view is readonly View[] => Array.isArray(view);

function write(parts: string[], name: string, view: View): void {
  if (view === null || view === undefined || view === '') {
    parts.push('<', name, '/>');
    return;
  }
  if (typeof view !== 'object') {
    parts.push('<', name, '>', typeof view === 'string' ? escaped(view) : String(view), '</', name, '>');
    return;
  }
  if (view instanceof Written) {
    if (view.xml === '') parts.push('<', name, '/>');
    else parts.push('<', name, '>', view.xml, '</', name, '>');
    return;
  }
  const start = parts.push('<', name, '>');
  if (isList(view)) for (const item of view) write(parts, 'item', item);
  else for (const [inner, below] of Object.entries(view)) write(parts, inner, below);
  if (parts.length === start) parts[start - 1] = '/>';
  else parts.push('</', name, '>');
}

/** Most texts are ids and words: those need no look at each character. */
const PLAIN = /^[\w.:/ ()[\]-]*$/;
const escaped = (text: string): string => (PLAIN.test(text) ? text : escapeAll(text));
