import { request } from '../../lib/api.js';
import { bytes, duration, number } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { known, t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { Card, Empty, Loaded } from '../../ui/parts.js';
import { Plot, roundUp } from '../../ui/plot.js';

const UNITS = {
  perSecond: value => t('metrics.perSecond', { count: number(Math.round(value * 100) / 100) }),
  seconds: value => (value < 0.01 ? `${Math.round(value * 1e5) / 100} ms` : duration(value * 1000)),
  bytes,
  share: value => `${number(Math.round(value * 1000) / 10)} %`,
};

/** What the cloud counts: the last hour of its metrics as lines, and the steps of boots. */
export function Metrics() {
  const poll = usePoll(
    async options => (await request('GET', '/api/metrics', options)).body,
    [],
    data => data.everyMs,
  );
  return html`
    <${Loaded} poll=${poll}>
      ${({ plots, boots, everyMs, until }) => html`
        <p class="muted">${t('metrics.hint')}</p>
        <div class="plots">
          ${plots.map(
            plot => html`
              <${Card} key=${plot.name} title=${t(`plot.${plot.name}`)}>
                <${Plot}
                  label=${t(`plot.${plot.name}`)}
                  lines=${plot.lines.map(({ name, values }) => ({ name, values, text: known(`line.${name}`) ?? name }))}
                  everyMs=${everyMs}
                  until=${until}
                  format=${UNITS[plot.unit]}
                  most=${TOPS[plot.unit]?.(Math.max(0, ...plot.lines.flatMap(({ values }) => values.map(Number))))}
                />
              <//>
            `,
          )}
          <${Card} title=${t('plot.boots')}><${Boots} steps=${boots} /><//>
        </div>
      `}
    <//>
  `;
}

/** Where the axis of a unit ends, if not at a round number. */
const TOPS = {
  // All of it; more where hosts promise more than they have.
  share: most => Math.max(1, Math.ceil(most)),
  bytes: most => {
    const unit = 1024 ** Math.floor(Math.log2(Math.max(most, 1)) / 10);
    return roundUp(most / unit) * unit;
  },
};

/** How long each step of a boot takes on average. @param {any} props */
function Boots({ steps }) {
  if (steps.length === 0) return html`<${Empty} icon="instances" title=${t('metrics.noBoots')} />`;
  const longest = Math.max(...steps.map(step => step.seconds ?? 0), 0.001);
  return html`
    <ul class="bars">
      ${steps.map(
        step => html`
          <li key=${step.step}>
            <div class="meter-words">
              <span class="mono">${step.step}</span>
              <span class="muted">${step.seconds === null ? '–' : UNITS.seconds(step.seconds)} · ${t('metrics.done', { count: number(step.done) })}${step.failed > 0 && html` · <span class="bad-text">${t('metrics.failed', { count: number(step.failed) })}</span>`}</span>
            </div>
            <div class="meter-bar" aria-hidden="true"><span class="meter-used" style=${{ width: `${((step.seconds ?? 0) / longest) * 100}%` }} /></div>
          </li>
        `,
      )}
    </ul>
  `;
}
