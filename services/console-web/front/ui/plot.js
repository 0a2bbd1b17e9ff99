import { number, timeOfDay } from '../lib/format.js';
import { t } from '../lib/text.js';
import { html, useState } from '../lib/view.js';

const WIDTH = 600;
const HEIGHT = 150;

/** A round number that is not below the value: where an axis ends. */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return /** @type {number} */ ([1, 2, 5, 10].find(step => step * power >= value * 0.999) ?? 10) * power;
}

/** Where a line goes: it is broken where there is no value. */
export function pathOf(values, top) {
  const step = WIDTH / Math.max(1, values.length - 1);
  let path = '';
  let on = false;
  values.forEach((value, at) => {
    if (value === null) on = false;
    else {
      const y = HEIGHT - (Math.min(value, top) / top) * HEIGHT;
      path += `${on ? 'L' : 'M'}${(at * step).toFixed(1)} ${y.toFixed(1)}`;
      on = true;
    }
  });
  return path;
}

/**
 * Lines over time, all of the same unit: `{ name, text, values }`. Pointer and arrow keys choose a time, whose values the legend
 * tells; else it tells the latest.
 * @param {any} props
 */
export function Plot({ label, lines, everyMs, until, format = number, most }) {
  const [chosen, setChosen] = useState(/** @type {number | null} */ (null));
  const count = Math.max(0, ...lines.map(line => line.values.length));
  const last = count - 1;
  const at = chosen === null ? last : Math.min(chosen, last);
  const top = most ?? roundUp(Math.max(0, ...lines.flatMap(line => line.values.map(value => value ?? 0))));
  const timeAt = index => timeOfDay(until - (last - index) * everyMs);
  const told = line => {
    const value = line.values[at];
    return value === null || value === undefined ? '–' : format(value);
  };
  const onKeyDown = event => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10, Home: -count, End: count }[
      event.key
    ];
    if (step === undefined) return;
    event.preventDefault();
    setChosen(Math.max(0, Math.min(last, at + step)));
  };
  const onPointerMove = event => {
    const box = event.currentTarget.getBoundingClientRect();
    setChosen(Math.max(0, Math.min(last, Math.round(((event.clientX - box.left) / box.width) * last))));
  };
  return html`
    <div class="plot">
      <ul class="legend">
        ${lines.map((line, place) => html`<li key=${line.name}><span class=${`swatch line-${place}`} aria-hidden="true" /><span>${line.text}</span> <strong>${told(line)}</strong></li>`)}
        <li class="muted push">${chosen === null ? t('plot.now') : timeAt(at)}</li>
      </ul>
      <div
        class="plot-area"
        role="slider"
        tabindex="0"
        aria-label=${t('plot.time', { name: label })}
        aria-valuemin="0"
        aria-valuemax=${Math.max(0, last)}
        aria-valuenow=${Math.max(0, at)}
        aria-valuetext=${`${timeAt(at)}: ${lines.map(line => `${line.text} ${told(line)}`).join(', ')}`}
        onKeyDown=${onKeyDown}
        onPointerMove=${onPointerMove}
        onPointerLeave=${() => setChosen(null)}
        onBlur=${() => setChosen(null)}
      >
        <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          ${[0.5, 1].map(part => html`<line key=${part} class="grid-line" x1="0" x2=${WIDTH} y1=${HEIGHT - HEIGHT * part} y2=${HEIGHT - HEIGHT * part} />`)}
          ${lines.map((line, place) => html`<path key=${line.name} class=${`line-${place}`} d=${pathOf(line.values, top)} />`)}
          ${chosen !== null && last > 0 && html`<line class="cursor" x1=${(at / last) * WIDTH} x2=${(at / last) * WIDTH} y1="0" y2=${HEIGHT} />`}
        </svg>
        <span class="axis highest">${format(top)}</span>
        <span class="axis half">${format(top / 2)}</span>
      </div>
      <div class="times muted"><span>${timeAt(0)}</span><span>${timeAt(last)}</span></div>
    </div>
  `;
}
