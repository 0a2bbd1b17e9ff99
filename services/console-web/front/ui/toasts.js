import { store, useStore } from '../lib/store.js';
import { t } from '../lib/text.js';
import { html } from '../lib/view.js';
import { Icon } from './icons.js';

const shown = store(/** @type {{ id: number, tone: string, text: string }[]} */ ([]));
let next = 0;
const SHOWN_MS = 6_000;

/** @param {string} text @param {'good' | 'bad' | 'plain'} [tone] */
export function tell(text, tone = 'good') {
  const id = ++next;
  shown.set([...shown.get().slice(-3), { id, tone, text }]);
  // What went wrong stays until it was read.
  if (tone !== 'bad') setTimeout(() => drop(id), SHOWN_MS);
}

const drop = id => shown.set(shown.get().filter(toast => toast.id !== id));

/** Tells what went wrong, unless the person wanted it to end. */
export function tellError(error) {
  if (error?.name === 'AbortError') return;
  const id = error?.requestId ? ` (${error.requestId})` : '';
  tell(`${error?.message ?? error}${id}`, 'bad');
}

export function Toasts() {
  const toasts = useStore(shown);
  return html`
    <div class="toasts" role="status" aria-live="polite">
      ${toasts.map(
        ({ id, tone, text }) => html`
          <div class=${`toast ${tone}`} key=${id}>
            <${Icon} name=${tone === 'bad' ? 'warning' : tone === 'good' ? 'check' : 'info'} />
            <span>${text}</span>
            <button type="button" class="bare" aria-label=${t('action.close')} onClick=${() => drop(id)}>
              <${Icon} name="close" />
            </button>
          </div>
        `,
      )}
    </div>
  `;
}
