import { must } from '@folsom/core';
import { quotePath, utf8FromBytes } from '@folsom/swift-http';

export interface WebListingItem {
  subdir?: string;
  name?: string;
  bytes?: number;
  content_type?: string;
  last_modified?: string;
}

const escapeHtml = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const escapeAttribute = (text: string): string => escapeHtml(text).replace(/"/g, '&quot;');

/** 1048576 → `1Mi`. */
export function humanReadable(bytes: number): string {
  let value = bytes;
  let index = -1;
  while (value >= 1024 && index + 1 < 8) {
    index++;
    value = Math.round(value / 1024);
  }
  return index < 0 ? String(value) : `${Math.round(value)}${'KMGTPEZY'[index]}i`;
}

const row = (kind: string, link: string, text: string, size: string, date: string): string =>
  `   <tr class="item ${kind}">\n    <td class="colname"><a href="${link}">${text}</a></td>\n    <td class="colsize">${size}</td>\n    <td class="coldate">${date}</td>\n   </tr>\n`;

/** The page that lists what lies below a prefix: directories first. */
export function listingPage(page: {
  title: string;
  prefix: string;
  css: string;
  items: WebListingItem[];
}): string {
  const title = escapeHtml(page.title);
  const css = utf8FromBytes(page.css) ?? page.css;
  const link = /^(\/|https?:\/\/)/.test(css)
    ? quotePath(css, ':')
    : '../'.repeat(page.prefix.split('/').length - 1) + quotePath(css);
  const style = css
    ? `  <link rel="stylesheet" type="text/css" href="${link}" />\n`
    : `  <style type="text/css">\n   h1 {font-size: 1em; font-weight: bold;}\n   th {text-align: left; padding: 0px 1em 0px 1em;}\n   td {padding: 0px 1em 0px 1em;}\n   a {text-decoration: none;}\n  </style>\n`;
  let rows = page.prefix
    ? `   <tr id="parent" class="item">\n    <td class="colname"><a href="../">../</a></td>\n    <td class="colsize">&nbsp;</td>\n    <td class="coldate">&nbsp;</td>\n   </tr>\n`
    : '';
  for (const { subdir } of page.items) {
    if (subdir === undefined) continue;
    const name = subdir.slice(page.prefix.length);
    rows += row('subdir', quotePath(name), escapeHtml(name), '&nbsp;', '&nbsp;');
  }
  for (const item of page.items) {
    if (item.name === undefined) continue;
    const name = item.name.slice(page.prefix.length);
    const kinds = (item.content_type ?? '')
      .split('/')
      .map(part => `type-${escapeAttribute(part.toLowerCase())}`)
      .join(' ');
    const date = must(escapeHtml(item.last_modified ?? '').split('.')[0], 'a split has a first part').replace(
      'T',
      ' ',
    );
    rows += row(kinds, quotePath(name), escapeHtml(name), humanReadable(item.bytes ?? 0), date);
  }
  return (
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">\n' +
    `<html>\n <head>\n  <title>Listing of ${title}</title>\n${style} </head>\n <body>\n` +
    `  <h1 id="title">Listing of ${title}</h1>\n  <table id="listing">\n   <tr id="heading">\n` +
    '    <th class="colname">Name</th>\n    <th class="colsize">Size</th>\n    <th class="coldate">Date</th>\n   </tr>\n' +
    `${rows}  </table>\n </body>\n</html>\n`
  );
}
