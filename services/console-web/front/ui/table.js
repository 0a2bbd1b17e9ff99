import { t } from '../lib/text.js';
import { html, useState } from '../lib/view.js';
import { Icon } from './icons.js';
import { Button, Empty } from './parts.js';

/**
 * A dense list. Columns are `{ key, title, cell(row), width, end }`; the last cell holds what can be done with a row. On a narrow
 * screen each row becomes a card, its cells with their titles. `rowProps(row)` is laid on the row itself.
 * @param {any} props
 */
export function Table({ label, columns, rows, keyOf = row => row.id, rowProps, actions, empty, more }) {
  if (rows.length === 0) return empty ?? html`<${Empty} title=${t('state.nothing')} />`;
  return html`
    <div class="table-box">
      <table aria-label=${label}>
        <thead>
          <tr>
            ${columns.map(column => html`<th key=${column.key} scope="col" class=${column.end ? 'end' : ''}>${column.title}</th>`)}
            ${actions && html`<th class="end"><span class="hidden">${t('column.actions')}</span></th>`}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            row => html`
              <tr key=${keyOf(row)} ...${rowProps?.(row)}>
                ${columns.map(
                  (column, at) => html`
                    <td key=${column.key} data-title=${column.title} class=${`${column.end ? 'end' : ''} ${at === 0 ? 'first' : ''}`}>${column.cell(row)}</td>
                  `,
                )}
                ${actions && html`<td class="end row-actions">${actions(row)}</td>`}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
    ${more && html`<p class="more"><${Button} onClick=${more}>${t('action.more')}<//></p>`}
  `;
}

/** A box that narrows a list. @param {any} props */
export const Search = ({ value, onInput, label }) => html`
  <div class="search">
    <${Icon} name="search" />
    <input type="search" aria-label=${label ?? t('action.search')} placeholder=${label ?? t('action.search')} value=${value} onInput=${event => onInput(event.currentTarget.value)} />
  </div>
`;

/** Whether any of the texts holds what is looked for. */
export const holds = (wanted, ...texts) => {
  const lower = wanted.trim().toLowerCase();
  return (
    lower === '' ||
    texts.some(text =>
      String(text ?? '')
        .toLowerCase()
        .includes(lower),
    )
  );
};

/** Panels of which one is seen. Tabs are `{ key, title, draw }`. @param {any} props */
export function Tabs({ label, tabs, at, onChange }) {
  const [own, setOwn] = useState(tabs[0].key);
  const current = at ?? own;
  const shown = tabs.find(tab => tab.key === current) ?? tabs[0];
  const choose = key => {
    setOwn(key);
    onChange?.(key);
  };
  const onKeyDown = event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const next = tabs[(tabs.indexOf(shown) + step + tabs.length) % tabs.length];
    choose(next.key);
    event.currentTarget.querySelector(`[data-tab="${next.key}"]`)?.focus();
  };
  return html`
    <div class="tabs" role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>
      ${tabs.map(
        tab => html`
          <button
            key=${tab.key}
            type="button"
            role="tab"
            data-tab=${tab.key}
            id=${`tab-${tab.key}`}
            aria-selected=${tab === shown}
            aria-controls=${`panel-${tab.key}`}
            tabindex=${tab === shown ? 0 : -1}
            onClick=${() => choose(tab.key)}
          >
            ${tab.title}
          </button>
        `,
      )}
    </div>
    <div class="panel" role="tabpanel" id=${`panel-${shown.key}`} aria-labelledby=${`tab-${shown.key}`} tabindex="0" key=${shown.key}>${shown.draw()}</div>
  `;
}
