import { html, useEffect, useId, useRef, useState } from '../lib/view.js';
import { Icon } from './icons.js';

/**
 * A button with a menu. Items are `{ text, run, danger, href, checked }`, or null for a line between.
 * @param {any} props
 */
export function Menu({ label, icon = 'more', text, items, kind = 'bare', align = 'end' }) {
  const [open, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const id = useId();
  const entries = () =>
    [...(root.current?.querySelectorAll('[role^=menuitem]') ?? [])].map(e => /** @type {HTMLElement} */ (e));
  const close = focus => {
    setOpen(false);
    if (focus) root.current?.querySelector('button')?.focus();
  };

  useEffect(() => {
    if (!open) return;
    entries()[0]?.focus();
    const outside = event => {
      if (!root.current?.contains(event.target)) close(false);
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);

  const onKeyDown = event => {
    if (!open) return;
    const all = entries();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all[to % all.length]?.focus();
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      close(true);
    } else if (event.key === 'Tab') close(false);
  };

  return html`
    <div class="menu" ref=${root} onKeyDown=${onKeyDown}>
      <button
        type="button"
        class=${`button ${kind}`}
        aria-haspopup="menu"
        aria-expanded=${open}
        aria-controls=${open ? id : undefined}
        aria-label=${label}
        title=${label}
        onClick=${() => setOpen(!open)}
      >
        ${icon && html`<${Icon} name=${icon} />`}${text && html`<span>${text}</span><${Icon} name="down" />`}
      </button>
      ${
        open &&
        html`
          <div class=${`menu-list ${align}`} role="menu" id=${id} aria-label=${label}>
            ${items.map((item, at) =>
              item === null
                ? html`<hr key=${at} />`
                : item.href
                  ? html`<a key=${at} role="menuitem" tabindex="-1" href=${item.href} download=${item.download} onClick=${() => close(false)}>${item.text}</a>`
                  : html`
                      <button
                        key=${at}
                        type="button"
                        role=${item.checked === undefined ? 'menuitem' : 'menuitemradio'}
                        aria-checked=${item.checked}
                        tabindex="-1"
                        class=${item.danger ? 'danger' : ''}
                        onClick=${() => {
                          close(true);
                          item.run();
                        }}
                      >
                        ${item.text}${item.checked && html`<${Icon} name="check" />`}
                      </button>
                    `,
            )}
          </div>
        `
      }
    </div>
  `;
}
