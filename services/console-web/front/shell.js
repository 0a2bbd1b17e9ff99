import { request, session } from './lib/api.js';
import { go, place } from './lib/router.js';
import { useStore } from './lib/store.js';
import { t } from './lib/text.js';
import { html, useEffect, useState } from './lib/view.js';
import { Icon, Mark } from './ui/icons.js';
import { Menu } from './ui/menu.js';
import { tellError } from './ui/toasts.js';

/** What is offered: an area, its address, and what it needs. */
const AREAS = [
  { area: 'overview', href: '/' },
  { area: 'instances', href: '/instances', service: 'compute' },
  { area: 'volumes', href: '/volumes', service: 'volume' },
  { area: 'images', href: '/images', service: 'image' },
  { area: 'keys', href: '/keys', service: 'compute' },
  { area: 'network', href: '/network', service: 'compute' },
  { area: 'objects', href: '/objects', service: 'object-store' },
  { area: 'identity', href: '/identity', service: 'identity-admin', admin: true },
  { area: 'system', href: '/system', service: 'compute', admin: true },
];

export const areasOf = user =>
  AREAS.filter(
    ({ service, admin }) => (!service || user.services.includes(service)) && (!admin || user.admin),
  );

async function leave() {
  await request('DELETE', '/api/session').catch(() => {});
  session.set(null);
  go('/login', { replace: true });
}

async function enter(id) {
  try {
    const { body } = await request('PUT', '/api/session/project', { body: { id } });
    // What is open belongs to the other project.
    go(`/${location.pathname.split('/')[1]}`);
    session.set(body);
  } catch (error) {
    tellError(error);
  }
}

/** @param {Record<string, string>} change */
export async function prefer(change) {
  const user = session.get();
  try {
    const { body } = await request('PUT', '/api/session/preferences', {
      body: { ...user.preferences, ...change },
    });
    session.set({ ...session.get(), preferences: body });
  } catch (error) {
    tellError(error);
  }
}

/** Navigation, the project, the person; and the page in the middle. @param {any} props */
export function Shell({ area, children }) {
  const user = useStore(session);
  const [open, setOpen] = useState(false);
  const { path } = useStore(place);
  useEffect(() => setOpen(false), [path]);
  const choice = (kind, value, text) => ({
    text,
    checked: user.preferences[kind] === value,
    run: () => prefer({ [kind]: value }),
  });
  return html`
    <a class="skip" href="#main">${t('nav.skip')}</a>
    <div class=${`shell ${open ? 'nav-open' : ''}`}>
      <header class="top">
        <button type="button" class="bare nav-button" aria-label=${t('nav.menu')} aria-expanded=${open} aria-controls="nav" onClick=${() => setOpen(!open)}>
          <${Icon} name="menu" />
        </button>
        <a class="brand" href="/" aria-label="Folsom"><${Mark} /><span>Folsom</span></a>
        <div class="top-right">
          ${
            user.projects.length > 1
              ? html`<${Menu}
                  label=${t('nav.project', { name: user.project.name })}
                  icon=""
                  text=${user.project.name}
                  kind="quiet"
                  items=${user.projects.map(({ id, name }) => ({ text: name, checked: id === user.project.id, run: () => enter(id) }))}
                />`
              : html`<span class="muted">${user.project.name}</span>`
          }
          <${Menu}
            label=${t('nav.person', { name: user.user.name })}
            icon="account"
            text=${user.user.name}
            kind="quiet"
            items=${[
              { text: t('nav.account'), href: '/account' },
              null,
              choice('theme', 'auto', t('theme.auto')),
              choice('theme', 'light', t('theme.light')),
              choice('theme', 'dark', t('theme.dark')),
              null,
              choice('language', 'auto', t('language.auto')),
              choice('language', 'en', 'English'),
              choice('language', 'zh', '中文'),
              null,
              { text: t('action.logout'), run: leave },
            ]}
          />
        </div>
      </header>
      <nav id="nav" aria-label=${t('nav.areas')}>
        <ul>
          ${areasOf(user).map(
            entry => html`
              <li key=${entry.area}>
                <a href=${entry.href} aria-current=${entry.area === area ? 'page' : undefined}>
                  <${Icon} name=${entry.area} /><span>${t(`nav.${entry.area}`)}</span>
                </a>
              </li>
            `,
          )}
        </ul>
      </nav>
      <main id="main" tabindex="-1">${children}</main>
    </div>
  `;
}
