import { t } from '../lib/text.js';
import { html, useId, useState } from '../lib/view.js';
import { Icon } from './icons.js';
import { tell } from './toasts.js';

/** @param {any} props */
export const Button = ({ icon, kind = '', children, label, small, ...rest }) => html`
  <button type="button" class=${`button ${kind} ${small ? 'small' : ''}`} aria-label=${label} title=${label} ...${rest}>
    ${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}
  </button>
`;

/** A word with a dot: tone is good, busy, bad, warn or plain. @param {any} props */
export const Badge = ({ tone = 'plain', children }) =>
  html`<span class=${`badge ${tone}`}>${children}</span>`;

/** The head of a page. @param {any} props */
export const PageHead = ({ title, sub, back, children }) => html`
  <header class="page-head">
    <div>
      ${back && html`<a class="back" href=${back.href}>‹ ${back.text}</a>`}
      <h1 tabindex="-1">${title}</h1>
      ${sub && html`<p class="muted">${sub}</p>`}
    </div>
    <div class="page-actions">${children}</div>
  </header>
`;

/** @param {any} props */
export const Card = ({ title, actions, children, class: more = '' }) => html`
  <section class=${`card ${more}`}>
    ${title && html`<header class="card-head"><h2>${title}</h2>${actions && html`<div class="row">${actions}</div>`}</header>`}
    ${children}
  </section>
`;

/** @param {any} props */
export const Empty = ({ icon = 'info', title, children }) => html`
  <div class="empty">
    <${Icon} name=${icon} />
    <p class="empty-title">${title}</p>
    ${children}
  </div>
`;

/** What went wrong, with a way to try again. @param {any} props */
export const Problem = ({ error, retry }) => html`
  <div class="problem" role="alert">
    <${Icon} name="warning" />
    <div>
      <p>${error.message}</p>
      ${error.requestId && html`<p class="muted small-text">${error.requestId}</p>`}
    </div>
    ${retry && html`<${Button} small onClick=${retry}>${t('action.retry')}<//>`}
  </div>
`;

export const Loading = () =>
  html`<p class="loading" role="status"><span class="spinner" />${t('state.loading')}</p>`;

/** What a poll gave: loading, a problem, or the data drawn. @param {any} props */
export function Loaded({ poll, children }) {
  if (poll.data === undefined)
    return poll.error ? html`<${Problem} error=${poll.error} retry=${poll.refresh} />` : html`<${Loading} />`;
  return html`
    ${poll.error && html`<${Problem} error=${poll.error} />`}
    ${children(poll.data)}
  `;
}

/** Used of a limit, and what is about to be added. A limit below zero is none. @param {any} props */
export function Meter({ label, used, limit, add = 0, format = String }) {
  const free = limit === undefined || limit < 0;
  const part = free ? 0 : limit === 0 ? 1 : Math.min(1, used / limit);
  const more = free || limit === 0 ? 0 : Math.min(1 - part, add / limit);
  const over = !free && used + add > limit;
  const tone = over ? 'bad' : part + more > 0.85 ? 'warn' : '';
  const words = free
    ? t('meter.unlimited', { used: format(used + add) })
    : t('meter.of', { used: format(used + add), limit: format(limit) });
  return html`
    <div class="meter">
      <div class="meter-words"><span>${label}</span><span class=${over ? 'bad-text' : 'muted'}>${words}</span></div>
      <div class="meter-bar" role="img" aria-label=${`${label}: ${words}`}>
        <span class=${`meter-used ${tone}`} style=${{ width: `${part * 100}%` }} />
        <span class="meter-add" style=${{ width: `${more * 100}%` }} />
      </div>
    </div>
  `;
}

/** @param {any} props */
export function Progress({ part, label }) {
  const percent = Math.round(part * 100);
  return html`
    <div class="meter-bar" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${percent}>
      <span class="meter-used" style=${{ width: `${percent}%` }} />
    </div>
  `;
}

/** Names and values. @param {any} props */
export const Facts = ({ rows }) => html`
  <dl class="facts">
    ${rows
      .filter(row => row && row[1] !== undefined && row[1] !== null)
      .map(
        ([name, value]) =>
          html`<div key=${name}><dt>${name}</dt><dd>${value === '' ? '–' : value}</dd></div>`,
      )}
  </dl>
`;

/** A value to take along. @param {any} props */
export function Copyable({ text, secret = false }) {
  const [open, setOpen] = useState(!secret);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell(t('told.copied'));
    } catch {
      setOpen(true);
    }
  };
  return html`
    <span class="copyable">
      <code>${open ? text : '••••••••'}</code>
      ${secret && html`<${Button} small kind="bare" onClick=${() => setOpen(!open)}>${open ? t('action.hide') : t('action.show')}<//>`}
      <${Button} small kind="bare" icon="copy" label=${t('action.copy')} onClick=${copy} />
    </span>
  `;
}

/** A labelled control; `children` draws it with the id it is given. @param {any} props */
export function Field({ label, hint, children, optional }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}${optional && html` <span class="muted">${t('field.optional')}</span>`}</label>
      ${children({ id, ...(hint ? { 'aria-describedby': `${id}-hint` } : {}) })}
      ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    </div>
  `;
}

/** @param {any} props */
export const TextField = ({ label, hint, optional, multiline, ...rest }) => html`
  <${Field} label=${label} hint=${hint} optional=${optional}>
    ${given => (multiline ? html`<textarea rows="4" ...${given} ...${rest} />` : html`<input type="text" autocomplete="off" ...${given} ...${rest} />`)}
  <//>
`;

/** Options are `[value, text]`. @param {any} props */
export const SelectField = ({ label, hint, options, value, ...rest }) => html`
  <${Field} label=${label} hint=${hint}>
    ${given => html`
      <select ...${given} value=${value} ...${rest}>
        ${options.map(([key, text]) => html`<option key=${key} value=${key} selected=${value === undefined ? undefined : key === value}>${text}</option>`)}
      </select>
    `}
  <//>
`;

/** @param {any} props */
export const CheckField = ({ label, hint, ...rest }) => html`
  <label class="check"><input type="checkbox" ...${rest} /><span>${label}${hint && html`<span class="hint">${hint}</span>`}</span></label>
`;
