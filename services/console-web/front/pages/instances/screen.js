import { BASE, t } from '../../lib/text.js';
import { html, useEffect, useRef, useState } from '../../lib/view.js';
import { Button } from '../../ui/parts.js';
import { tellError } from '../../ui/toasts.js';

/** The guest's screen, keyboard and mouse. @param {any} props */
export function Screen({ server }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const rfb = useRef(/** @type {any} */ (null));
  const [state, setState] = useState('connecting');
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let here = true;
    setState('connecting');
    const connect = async () => {
      const { default: RFB } = await import(`${BASE}vendor/novnc/core/rfb.js`);
      if (!here || !box.current) return;
      const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
      const client = new RFB(box.current, `${scheme}://${location.host}/api/screen/${server.id}`, {
        wsProtocols: ['binary'],
      });
      client.scaleViewport = true;
      client.addEventListener('connect', () => {
        setState('open');
        client.focus();
      });
      client.addEventListener(
        'disconnect',
        event => here && setState(event.detail.clean ? 'closed' : 'failed'),
      );
      rfb.current = client;
    };
    connect().catch(error => {
      tellError(error);
      setState('failed');
    });
    return () => {
      here = false;
      rfb.current?.disconnect();
      rfb.current = null;
    };
  }, [server.id, attempt]);
  return html`
    <div class="toolbar">
      <span class="muted" role="status">${t(`screen.${state}`)}</span>
      ${state === 'open' && html`<${Button} small onClick=${() => rfb.current?.sendCtrlAltDel()}>Ctrl+Alt+Del<//>`}
      ${state === 'open' && html`<${Button} small onClick=${() => box.current?.requestFullscreen()}>${t('screen.full')}<//>`}
      ${(state === 'failed' || state === 'closed') && html`<${Button} small icon="refresh" onClick=${() => setAttempt(attempt + 1)}>${t('screen.again')}<//>`}
    </div>
    <div class="screen" ref=${box} role="application" aria-label=${t('instance.screen')} data-state=${state} />
  `;
}
