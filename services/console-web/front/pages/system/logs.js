import { request, session } from '../../lib/api.js';
import { when } from '../../lib/format.js';
import { t } from '../../lib/text.js';
import { html, useEffect, useState } from '../../lib/view.js';
import { Badge, Button, Empty, Loading, Problem, SelectField, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';

const LEVELS = ['', 'debug', 'info', 'warn', 'error'];
const TONES = { error: 'bad', warn: 'warn', info: 'good' };
const NOTHING = { request: '', tenant: '', level: '', service: '', text: '' };

/** Lines of the cloud's log, the latest first, by what they have to hold. */
export function Logs() {
  const [query, setQuery] = useState(NOTHING);
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(false);
  const search = async (wanted, before = '', lines = /** @type {any[]} */ ([])) => {
    setBusy(true);
    try {
      const { body } = await request('POST', '/api/logs', { body: { ...wanted, before } });
      setFound({ lines: [...lines, ...body.lines], before: body.before });
      setError(null);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => void search(query), [query]);
  const submit = event => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setQuery(/** @type {any} */ ({ ...NOTHING, ...Object.fromEntries(form) }));
  };
  return html`
    <form class="stack" role="search" aria-label=${t('system.logs')} onSubmit=${submit}>
      <div class="fields">
        <${TextField} label=${t('system.requestId')} name="request" maxlength="100" placeholder="req-…" />
        <${TextField} label=${t('account.projectId')} name="tenant" maxlength="100" list="log-projects" />
        <${SelectField} label=${t('logs.level')} name="level" options=${LEVELS.map(level => [level, t(`level.${level || 'any'}`)])} />
        <${TextField} label=${t('system.service')} name="service" maxlength="100" placeholder="nova-compute" />
        <${TextField} label=${t('logs.text')} name="text" maxlength="200" />
      </div>
      <datalist id="log-projects">${session.get().projects.map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`)}</datalist>
      <div><button type="submit" class="button primary" disabled=${busy}>${t('action.search')}</button></div>
    </form>
    <div class="toolbar top-gap"><p class="muted" role="status">${found !== null && t('logs.found', { count: found.lines.length })}</p></div>
    <div aria-busy=${busy}>
      ${error && html`<${Problem} error=${error} retry=${() => search(query)} />`}
      ${found === null ? !error && html`<${Loading} />` : html`<${Lines} found=${found} more=${() => search(query, found.before, found.lines)} busy=${busy} />`}
    </div>
  `;
}

/** @param {any} props */
const Lines = ({ found, more, busy }) => html`
  <${Table}
    label=${t('system.logs')}
    rows=${found.lines}
    keyOf=${row => found.lines.indexOf(row)}
    empty=${html`<${Empty} icon="log" title=${t('logs.none')} />`}
    columns=${[
      {
        key: 'time',
        title: t('logs.time'),
        cell: row => html`<time class="nowrap" datetime=${row.time}>${when(row.time)}</time>`,
      },
      {
        key: 'level',
        title: t('logs.level'),
        cell: row =>
          html`<span class="nowrap"><${Badge} tone=${TONES[row.level] ?? 'plain'}>${t(`level.${row.level}`)}<//></span>`,
      },
      {
        key: 'service',
        title: t('system.service'),
        cell: row => html`<span class="nowrap">${row.service || '–'}</span>`,
      },
      {
        key: 'what',
        title: t('logs.what'),
        cell: row => html`
          <span class="log-line mono">${row.what}</span>
          ${row.requestId && html`<a class="small-text" href=${`/system?tab=requests&id=${encodeURIComponent(row.requestId)}`}>${row.requestId}</a>`}
        `,
      },
    ]}
  />
  ${found.before !== null && html`<p class="more"><${Button} onClick=${more} disabled=${busy}>${t('logs.earlier')}<//></p>`}
`;
