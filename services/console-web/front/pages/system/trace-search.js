import { place } from '../../lib/router.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { TextField } from '../../ui/parts.js';
import { Steps } from '../instances/time-line.js';

/** A request by its id, as faults and logs name it. */
export function TraceSearch() {
  const { query } = useStore(place);
  const [id, setId] = useState(query.get('id') ?? '');
  const find = event => {
    event.preventDefault();
    setId(String(new FormData(event.currentTarget).get('id')).trim());
  };
  return html`
    <form class="stack" onSubmit=${find}>
      <${TextField} label=${t('system.requestId')} name="id" defaultValue=${id} required pattern="\\s*req-[0-9a-f\\-]{36}\\s*" placeholder="req-…" hint=${t('system.requestHint')} />
      <button type="submit" class="button primary">${t('action.search')}</button>
    </form>
    ${id !== '' && html`<div class="top-gap"><${Steps} id=${id} key=${id} /></div>`}
  `;
}
