import { request, session } from '../../lib/api.js';
import { ago, duration, when } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { Card, Empty, Facts, Loaded, SelectField } from '../../ui/parts.js';
import { requestsOf } from './requests.js';

/** A request's way through the services, drawn. @param {any} props */
export function TimeLine({ server }) {
  const requests = requestsOf(server.id);
  const [id, setId] = useState(requests.at(-1)?.id ?? '');
  return html`
    <${Card}>
      <${Facts} rows=${[[t('column.created'), when(server.created)], [t('column.updated'), when(server.updated)]]} />
    <//>
    ${
      session.get().features.trace &&
      (requests.length === 0
        ? html`<${Card}><${Empty} icon="log" title=${t('time.none')} /><//>`
        : html`
            <${Card} title=${t('time.title')}>
              <div class="stack">
                <${SelectField} label=${t('time.request')} value=${id} onChange=${event => setId(event.currentTarget.value)} options=${requests.map(({ id: key, name, at }) => [key, `${t(`do.${name}`)} · ${ago(at)}`]).reverse()} />
                <${Steps} id=${id} key=${id} />
              </div>
            <//>
          `)
    }
  `;
}

const EVERY_MS = 3_000;

/** @param {any} props */
export function Steps({ id }) {
  const poll = usePoll(
    async options => (await request('GET', `/api/trace/${encodeURIComponent(id)}`, options)).body.steps,
    [id],
    EVERY_MS,
  );
  return html`
    <${Loaded} poll=${poll}>
      ${steps => {
        if (steps.length === 0) return html`<${Empty} icon="log" title=${t('time.unknown')} />`;
        const whole = Math.max(1, ...steps.map(step => step.at + (step.took ?? 0)));
        return html`
          <div class="steps" role="list">
            ${steps.map(
              (step, at) => html`
                <div class=${`step ${step.level === 'error' ? 'bad' : ''}`} role="listitem" key=${at}>
                  <span class="muted nowrap">+${duration(step.at)}</span>
                  <span>${step.service}</span>
                  <span class="mono">${step.what}${step.took !== null && html` <span class="muted">${duration(step.took)}</span>`}</span>
                  <span class="step-bar" aria-hidden="true"><span style=${{ left: `${(step.at / whole) * 97}%`, width: `${((step.took ?? 0) / whole) * 97}%` }} /></span>
                </div>
              `,
            )}
          </div>
        `;
      }}
    <//>
  `;
}
