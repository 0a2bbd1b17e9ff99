import { store } from './store.js';

/** Where this version's files lie. */
export const BASE = document.documentElement.dataset.base ?? '/';

/** @type {Record<string, string>} */
let table = {};

/** The language in use; set once its texts are there. */
export const language = store('en');

/** What the browser asks for, of the two that there are. */
export const browserLanguage = () =>
  navigator.languages.find(name => /^(zh|en)\b/.test(name))?.startsWith('zh') ? 'zh' : 'en';

/** @param {string} name */
export async function loadTexts(name) {
  const response = await fetch(`${BASE}texts/${name}.json`);
  table = await response.json();
  document.documentElement.lang = name === 'zh' ? 'zh-Hans' : 'en';
  language.set(name);
}

/**
 * A text of the table, with `{name}` filled in.
 * @param {string} key
 * @param {Record<string, unknown>} [values]
 */
export function t(key, values) {
  const text = table[key] ?? key;
  return values === undefined
    ? text
    : text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** A text that may be missing: for words that services choose. */
export const known = key => table[key];
