import { request, session } from './lib/api.js';
import { go, match, place, startRouter } from './lib/router.js';
import { useStore } from './lib/store.js';
import { BASE, browserLanguage, language, loadTexts, t } from './lib/text.js';
import { html, render, useEffect, useRef, useState } from './lib/view.js';
import { Login } from './pages/login.js';
import { Shell } from './shell.js';
import { closeDialogs, Dialogs } from './ui/dialog.js';
import { Loading, Problem } from './ui/parts.js';
import { Toasts } from './ui/toasts.js';

/** Each page is loaded when it is first looked at. */
const PAGES = [
  ['/', 'overview', 'overview/overview.js'],
  ['/instances', 'instances', 'instances/list.js'],
  ['/instances/:id', 'instances', 'instances/instance.js'],
  ['/keys', 'keys', 'keys/keys.js'],
  ['/images', 'images', 'images/list.js'],
  ['/images/:id', 'images', 'images/image.js'],
  ['/volumes', 'volumes', 'volumes/volumes.js'],
  ['/network', 'network', 'network/network.js'],
  ['/network/groups/:id', 'network', 'network/group.js'],
  ['/objects', 'objects', 'objects/containers.js'],
  ['/objects/:container', 'objects', 'objects/objects.js'],
  ['/objects/:container/*', 'objects', 'objects/objects.js'],
  ['/identity', 'identity', 'identity/identity.js'],
  ['/identity/projects/:id', 'identity', 'identity/project.js'],
  ['/account', 'account', 'account/account.js'],
  ['/system', 'system', 'system/system.js'],
];

/** The page of a path, with its values. */
function pageOf(path) {
  for (const [pattern, area, file] of PAGES) {
    const values = match(pattern, path);
    if (values) return { key: path, area, file, values };
  }
  return null;
}

function Page({ page }) {
  const [loaded, setLoaded] = useState(/** @type {any} */ (null));
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const first = useRef(true);
  useEffect(() => {
    let here = true;
    if (page === null) return;
    import(`${BASE}pages/${page.file}`).then(
      module => here && setLoaded({ file: page.file, draw: module.default }),
      error => here && setLoaded({ file: page.file, error }),
    );
    return () => {
      here = false;
    };
  }, [page?.file]);
  useEffect(() => {
    // Whoever listens to the page hears where he is.
    if (!first.current) root.current?.querySelector('h1')?.focus();
    first.current = false;
    window.scrollTo(0, 0);
  }, [page?.key, loaded?.file]);
  if (page === null)
    return html`<div class="empty"><h1 tabindex="-1">${t('page.missing')}</h1><a href="/">${t('nav.overview')}</a></div>`;
  if (loaded?.file !== page.file) return html`<${Loading} />`;
  if (loaded.error) return html`<${Problem} error=${loaded.error} retry=${() => location.reload()} />`;
  return html`<div ref=${root} key=${page.key}><${loaded.draw} ...${page.values} /></div>`;
}

function App() {
  const user = useStore(session);
  const { path } = useStore(place);
  const words = useStore(language);
  const theme = user?.preferences.theme ?? 'auto';
  useEffect(() => {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);
  const wanted = user?.preferences.language ?? 'auto';
  useEffect(() => {
    const name = wanted === 'auto' ? browserLanguage() : wanted;
    if (user !== null && name !== language.get()) void loadTexts(name);
  }, [wanted, user === null]);
  useEffect(() => {
    if (user === null) closeDialogs();
    if (user && path === '/login') go('/', { replace: true });
  }, [user]);
  const page = pageOf(path);
  useEffect(() => {
    document.title = user && page ? `${t(`nav.${page.area}`)} · Folsom` : 'Folsom';
  });
  // Another project or language: everything is asked for and worded anew.
  return html`
    <div key=${`${words} ${user?.project?.id ?? ''}`}>
      ${user ? html`<${Shell} area=${page?.area}><${Page} page=${page} /><//>` : html`<${Login} />`}
      <${Dialogs} />
      <${Toasts} />
    </div>
  `;
}

async function start() {
  const root = /** @type {HTMLElement} */ (document.getElementById('app'));
  const [who] = await Promise.all([
    request('GET', '/api/session').then(({ body }) => (body.user === null ? null : body)),
    loadTexts(browserLanguage()),
  ]);
  session.set(who);
  startRouter();
  render(html`<${App} />`, root);
}

void start();
