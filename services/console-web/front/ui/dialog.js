import { store, useStore } from '../lib/store.js';
import { t } from '../lib/text.js';
import { html, useEffect, useId, useRef, useState } from '../lib/view.js';
import { Icon } from './icons.js';
import { Button } from './parts.js';

/** The browser's own dialog: it keeps the focus inside and gives it back. @param {any} props */
export function Dialog({ title, onClose, children, wide }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    ref.current?.showModal();
    const first = /** @type {HTMLElement | null} */ (
      ref.current?.querySelector(
        '[data-first], form input:not([type=checkbox]), form select, form textarea, form button',
      )
    );
    first?.focus();
  }, []);
  return html`
    <dialog
      ref=${ref}
      class=${wide ? 'wide' : ''}
      aria-labelledby=${id}
      onCancel=${event => {
        event.preventDefault();
        onClose();
      }}
    >
      <header class="dialog-head">
        <h2 id=${id}>${title}</h2>
        <button type="button" class="bare" aria-label=${t('action.close')} onClick=${onClose}><${Icon} name="close" /></button>
      </header>
      ${children}
    </dialog>
  `;
}

/**
 * A form in a dialog. `onSubmit` gets the form's values; what it throws is shown, else the dialog closes.
 * @param {any} props
 */
export function FormDialog({ title, onClose, onSubmit, submit, danger, wide, disabled, children }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async event => {
    event.preventDefault();
    if (busy) return;
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(null);
    try {
      await onSubmit(form);
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return html`
    <${Dialog} title=${title} onClose=${onClose} wide=${wide}>
      <form onSubmit=${send}>
        <div class="dialog-body">
          ${children}
          ${error && html`<div class="problem" role="alert"><${Icon} name="warning" /><p>${error.message}</p></div>`}
        </div>
        <footer class="dialog-foot">
          <${Button} onClick=${onClose}>${t('action.cancel')}<//>
          <button type="submit" class=${`button ${danger ? 'danger' : 'primary'}`} disabled=${busy || disabled} aria-busy=${busy}>
            ${busy && html`<span class="spinner" />`}<span>${submit}</span>
          </button>
        </footer>
      </form>
    <//>
  `;
}

/** What is open, drawn once by the page; each takes a function that closes it. */
const open = store(/** @type {((close: () => void) => any)[]} */ ([]));

/** @param {(close: () => void) => any} draw */
export function openDialog(draw) {
  open.set([...open.get(), draw]);
}

export const closeDialogs = () => open.set([]);

export function Dialogs() {
  const drawn = useStore(open);
  return drawn.map(
    (draw, at) =>
      html`<div key=${at}>${draw(() => open.set(open.get().filter(other => other !== draw)))}</div>`,
  );
}

/** Asks before something that cannot be undone. @param {{ title: string, text: any, submit: string, run: () => Promise<unknown> }} what */
export const confirm = ({ title, text, submit, run }) =>
  openDialog(
    close =>
      html`<${FormDialog} title=${title} submit=${submit} danger onClose=${close} onSubmit=${run}><p>${text}</p><//>`,
  );
