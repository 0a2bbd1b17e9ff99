import { Fault, LIMITS, must } from '@folsom/core';
import { SaxesParser, type SaxesTagNS } from 'saxes';

/** An element of a document; namespaces are resolved. */
export interface XmlElement {
  /** Local name. */
  name: string;
  /** The name as the document writes it, with its prefix. */
  written: string;
  /** Namespace URI, `''` for none. */
  namespace: string;
  /** Attributes by local name (namespace declarations left out). */
  attributes: Record<string, string>;
  /** The same by the names that the document writes, with their prefixes. */
  writtenAttributes: Record<string, string>;
  children: XmlElement[];
  /** All text directly inside this element, joined. */
  text: string;
}

/**
 * Reads an XML document from outside. A DOCTYPE, an undefined entity, too deep or too many elements are refused: this is
 * the only XML reader of the project, so that entity attacks have one place to fail.
 *
 * @throws Fault `MalformedXml` (400)
 */
export function parseXml(body: string | Uint8Array): XmlElement {
  const text = typeof body === 'string' ? body : decodeUtf8(body);
  const parser = new SaxesParser({ xmlns: true });
  const stack: XmlElement[] = [];
  let root: XmlElement | undefined;
  let elements = 0;

  parser.on('error', error => {
    throw malformed(error.message);
  });
  parser.on('doctype', () => {
    throw malformed('a document type declaration is not allowed');
  });
  parser.on('opentag', (tag: SaxesTagNS) => {
    elements += 1;
    if (elements > LIMITS.xmlElementsMax) throw malformed('too many elements');
    if (stack.length >= LIMITS.xmlDepthMax) throw malformed('elements nested too deeply');
    const element: XmlElement = {
      name: tag.local,
      written: tag.name,
      namespace: tag.uri,
      attributes: attributesOf(tag, 'local'),
      writtenAttributes: attributesOf(tag, 'name'),
      children: [],
      text: '',
    };
    const parent = stack.at(-1);
    if (parent) parent.children.push(element);
    else root = element;
    stack.push(element);
  });
  const onText = (chunk: string) => {
    const open = stack.at(-1);
    if (open) open.text += chunk;
  };
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.on('closetag', () => {
    stack.pop();
  });

  try {
    parser.write(text).close();
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw malformed(error instanceof Error ? error.message : String(error));
  }
  if (!root) throw malformed('no root element');
  return root;
}

function attributesOf(tag: SaxesTagNS, by: 'local' | 'name'): Record<string, string> {
  const out: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const attribute of Object.values(tag.attributes)) {
    if (attribute.prefix === 'xmlns' || attribute.name === 'xmlns') continue;
    out[attribute[by]] = attribute.value;
  }
  return out;
}

const malformed = (detail: string): Fault =>
  new Fault('MalformedXml', 400, 'Malformed XML document', { values: { detail } });

function decodeUtf8(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw malformed('not valid UTF-8');
  }
}

/** The first child of that name, if any. */
export const child = (element: XmlElement, name: string): XmlElement | undefined =>
  element.children.find(item => item.name === name);

/** What an answer is made of: a tag with attributes in order and content. Names carry their prefix. */
export interface XmlNode {
  tag: string;
  attributes?: Record<string, string | undefined>;
  /** Namespaces declared here: prefix (`''` for the default) to URI. */
  namespaces?: Record<string, string>;
  content?: string | readonly XmlNode[];
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Text as it stands between tags; characters XML cannot hold are dropped. */
const escapeText = (text: string): string =>
  dropForbidden(text).replace(/[&<>]/g, c => must(ESCAPES[c], 'c is in ESCAPES'));

/** Text as it stands inside a double-quoted attribute. */
const escapeAttribute = (text: string): string =>
  dropForbidden(text)
    .replace(/[&<>"]/g, c => must(ESCAPES[c], 'c is in ESCAPES'))
    .replace(/[\n\r\t]/g, c => `&#${c.charCodeAt(0)};`);

/** Text with all five special characters escaped, as Python's `saxutils.quoteattr`-minded writers do. */
export const escapeAll = (text: string): string =>
  dropForbidden(text).replace(/[&<>"']/g, c => must(ESCAPES[c], 'c is in ESCAPES'));

// Everything outside XML 1.0's Char production.
const FORBIDDEN =
  /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;
const dropForbidden = (text: string): string => text.replace(FORBIDDEN, '');

export interface WriteXmlOptions {
  /** Text before the root element; default `<?xml version='1.0' encoding='UTF-8'?>\n`, as lxml writes it. */
  declaration?: string;
  /** Spaces of indentation a level (lxml's pretty_print uses 2); absent writes one line. */
  indent?: number;
}

export const XML_DECLARATION = "<?xml version='1.0' encoding='UTF-8'?>\n";

export function writeXml(node: XmlNode, options: WriteXmlOptions = {}): string {
  const { declaration = XML_DECLARATION, indent } = options;
  const parts: string[] = [declaration];
  writeNode(node, parts, indent, 0);
  if (indent !== undefined) parts.push('\n');
  return parts.join('');
}

function writeNode(node: XmlNode, parts: string[], indent: number | undefined, depth: number): void {
  parts.push('<', node.tag);
  for (const [prefix, uri] of Object.entries(node.namespaces ?? {})) {
    parts.push(prefix === '' ? ' xmlns="' : ` xmlns:${prefix}="`, escapeAttribute(uri), '"');
  }
  for (const [name, value] of Object.entries(node.attributes ?? {})) {
    if (value !== undefined) parts.push(' ', name, '="', escapeAttribute(value), '"');
  }
  const { content } = node;
  if (content === undefined || content.length === 0) {
    parts.push('/>');
    return;
  }
  parts.push('>');
  if (typeof content === 'string') {
    parts.push(escapeText(content));
  } else {
    const newline = indent === undefined ? '' : `\n${' '.repeat(indent * (depth + 1))}`;
    for (const item of content) {
      parts.push(newline);
      writeNode(item, parts, indent, depth + 1);
    }
    if (indent !== undefined) parts.push(`\n${' '.repeat(indent * depth)}`);
  }
  parts.push('</', node.tag, '>');
}
