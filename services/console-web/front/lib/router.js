import { store } from './store.js';

/** The path that is shown, without query; and what stands behind its `?`. */
export const place = store(read());

function read() {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

/** @param {string} to a path of this page's own */
export function go(to, { replace = false } = {}) {
  const url = new URL(to, location.origin);
  // Never elsewhere, whatever somebody has put into an address.
  if (url.origin !== location.origin) return;
  if (replace) history.replaceState(null, '', url);
  else history.pushState(null, '', url);
  place.set(read());
}

export function startRouter() {
  window.addEventListener('popstate', () => place.set(read()));
  document.addEventListener('click', event => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey)
      return;
    const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute('download')) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || url.pathname.startsWith('/api/') || url.hash) return;
    event.preventDefault();
    go(url.pathname + url.search);
  });
}

/**
 * The values of a pattern like `/instances/:id`, or null.
 * @param {string} pattern
 * @param {string} path
 * @returns {Record<string, string> | null}
 */
export function match(pattern, path) {
  const want = pattern.split('/');
  const have = path.replace(/(.)\/$/, '$1').split('/');
  const rest = want.at(-1) === '*';
  if (rest ? have.length < want.length - 1 : want.length !== have.length) return null;
  /** @type {Record<string, string>} */
  const values = {};
  for (const [at, part] of want.entries()) {
    if (part === '*') values.rest = have.slice(at).map(decode).join('/');
    else if (part.startsWith(':')) values[part.slice(1)] = decode(have[at]);
    else if (part !== have[at]) return null;
  }
  return values;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
