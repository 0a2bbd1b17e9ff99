import { go, place } from '../../lib/router.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { PageHead } from '../../ui/parts.js';
import { Tabs } from '../../ui/table.js';
import { Projects } from './projects.js';
import { Roles } from './roles.js';
import { Users } from './users.js';

/** Projects, users and roles, for administrators. */
export default function Identity() {
  const { query } = useStore(place);
  return html`
    <${PageHead} title=${t('nav.identity')} />
    <${Tabs}
      label=${t('nav.identity')}
      at=${query.get('tab') ?? 'projects'}
      onChange=${tab => go(`/identity?tab=${tab}`, { replace: true })}
      tabs=${[
        { key: 'projects', title: t('identity.projects'), draw: () => html`<${Projects} />` },
        { key: 'users', title: t('identity.users'), draw: () => html`<${Users} />` },
        { key: 'roles', title: t('identity.roles'), draw: () => html`<${Roles} />` },
      ]}
    />
  `;
}
