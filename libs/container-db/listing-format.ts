import type { ListedContainer, ListedObject } from './listed.ts';

/** JavaScript's calendar ends there. */
const SECONDS_END = 8_640_000_000_000;

/** `1347000000.12345` → `2012-09-07T06:40:00.123450`. */
export function listingTime(timestamp: string): string {
  const point = timestamp.indexOf('.');
  const given = Number(point < 0 ? timestamp : timestamp.slice(0, point));
  // What another server once wrote must not make the whole listing unreadable.
  const seconds = Math.abs(given) < SECONDS_END ? given : 0;
  const fraction = point < 0 ? '' : timestamp.slice(point + 1);
  return `${isoOfSecond(seconds)}.${fraction.padEnd(6, '0').slice(0, 6)}`;
}

let lastSecond = Number.NaN;
let lastIso = '';
function isoOfSecond(seconds: number): string {
  if (seconds !== lastSecond) {
    lastSecond = seconds;
    lastIso = new Date(seconds * 1000).toISOString().slice(0, 19);
  }
  return lastIso;
}

/** A JSON string in ASCII, as Python's json writes it. */
function asciiJson(text: string): string {
  return asciiText(JSON.stringify(text));
}

/** JSON text with everything beyond ASCII escaped. */
export function asciiText(json: string): string {
  return /^[\x00-\x7e]*$/.test(json)
    ? json
    : json.replace(/[\x7f-\uffff]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Text for an XML element or a quoted attribute. Characters that XML 1.0 cannot hold at all become U+FFFD: one odd
 * name must not make a whole listing unreadable.
 */
function xmlText(text: string): string {
  if (!/[&<>"'\x00-\x1f\ufffe\uffff\ud800-\udfff]/.test(text)) return text;
  return text
    .replace(
      /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      '\ufffd',
    )
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/[\r\n\t]/g, char => `&#${char.charCodeAt(0)};`);
}

/** An attribute value with its quotes. */
export const xmlAttribute = (text: string): string => `"${xmlText(text).replace(/"/g, '&quot;')}"`;

const textOf = (rows: readonly (ListedObject | ListedContainer)[]): string => {
  let out = '';
  for (const row of rows) out += `${row[0]}\n`;
  return out;
};

export const objectsAsJson = (rows: readonly ListedObject[]): string => `[${objectJsonItems(rows)}]`;

export function objectJsonItems(rows: readonly ListedObject[]): string {
  const parts: string[] = [];
  for (const [name, createdAt, size, contentType, etag] of rows) {
    parts.push(
      contentType === null
        ? `{"subdir": ${asciiJson(name)}}`
        : `{"hash": ${asciiJson(etag)}, "last_modified": "${listingTime(createdAt)}", "bytes": ${size}, "name": ${asciiJson(name)}, "content_type": ${asciiJson(contentType)}}`,
    );
  }
  return parts.join(', ');
}

export const objectsAsXml = (rows: readonly ListedObject[], container: string): string =>
  `${objectXmlStart(container)}${objectXmlItems(rows)}</container>`;

export const objectXmlStart = (container: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<container name=${xmlAttribute(container)}>`;

export function objectXmlItems(rows: readonly ListedObject[]): string {
  let out = '';
  for (const [name, createdAt, size, contentType, etag] of rows) {
    out +=
      contentType === null
        ? `<subdir name=${xmlAttribute(name)}><name>${xmlText(name)}</name></subdir>`
        : `<object><name>${xmlText(name)}</name><hash>${xmlText(etag)}</hash><bytes>${size}</bytes><content_type>${xmlText(contentType)}</content_type><last_modified>${listingTime(createdAt)}</last_modified></object>`;
  }
  return out;
}

export const objectsAsText = (rows: readonly ListedObject[]): string => textOf(rows);

export const containersAsJson = (rows: readonly ListedContainer[]): string =>
  `[${rows
    .map(([name, count, bytes, directory]) =>
      directory
        ? `{"subdir": ${asciiJson(name)}}`
        : `{"count": ${count}, "bytes": ${bytes}, "name": ${asciiJson(name)}}`,
    )
    .join(', ')}]`;

export function containersAsXml(rows: readonly ListedContainer[], account: string): string {
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', `<account name=${xmlAttribute(account)}>`];
  for (const [name, count, bytes, directory] of rows) {
    lines.push(
      directory
        ? `<subdir name=${xmlAttribute(name)} />`
        : `<container><name>${xmlText(name)}</name><count>${count}</count><bytes>${bytes}</bytes></container>`,
    );
  }
  return [...lines, '</account>'].join('\n');
}

export const containersAsText = (rows: readonly ListedContainer[]): string => textOf(rows);
