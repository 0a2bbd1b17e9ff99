import { t } from '../lib/text.js';
import { html, useState } from '../lib/view.js';
import { Button } from './parts.js';

/** Names and values to be edited; the form gets them as JSON under `name`. @param {any} props */
export function Pairs({ name, pairs }) {
  const [rows, setRows] = useState(
    /** @type {[string, string][]} */ (Object.entries(pairs).map(([key, value]) => [key, String(value)])),
  );
  const put = (at, column, text) =>
    setRows(
      rows.map(
        (row, index) =>
          /** @type {[string, string]} */ (
            index === at ? (column === 0 ? [text, row[1]] : [row[0], text]) : row
          ),
      ),
    );
  const value = Object.fromEntries(rows.filter(([key]) => key !== ''));
  return html`
    <div class="stack">
      <input type="hidden" name=${name} value=${JSON.stringify(value)} />
      ${rows.map(
        ([key, text], at) => html`
          <div class="row pair" key=${at}>
            <input type="text" aria-label=${t('pairs.name')} placeholder=${t('pairs.name')} value=${key} maxlength="255" onInput=${event => put(at, 0, event.currentTarget.value)} />
            <input type="text" aria-label=${t('pairs.value')} placeholder=${t('pairs.value')} value=${text} maxlength="255" onInput=${event => put(at, 1, event.currentTarget.value)} />
            <${Button} kind="bare" icon="close" label=${t('action.remove')} onClick=${() => setRows(rows.filter((_, index) => index !== at))} />
          </div>
        `,
      )}
      <${Button} small icon="plus" onClick=${() => setRows([...rows, ['', '']])}>${t('pairs.add')}<//>
    </div>
  `;
}
