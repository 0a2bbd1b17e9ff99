import { cloud, path, saveText } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html, useEffect, useRef, useState } from '../../lib/view.js';
import { Button, CheckField, Loaded } from '../../ui/parts.js';
import { nameOf } from './actions.js';

const EVERY_MS = 3_000;
/** Where writes are counted by the minute the log leaves most of them to the person: asking for it is one. */
const SPARING_MS = 20_000;

/** How often the log may be asked for. */
let every = 0;
async function interval(options) {
  if (every === 0) {
    const { limits } = await cloud.get('compute', 'limits', options);
    every = limits.rate?.length > 0 ? SPARING_MS : EVERY_MS;
  }
  return every;
}

/** What the guest has written, as it grows. @param {any} props */
export function ConsoleLog({ server }) {
  const [follow, setFollow] = useState(true);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const poll = usePoll(
    async options => {
      const [wait, { output }] = await Promise.all([
        interval(options),
        cloud.post('compute', `${path('servers', server.id)}/action`, { 'os-getConsoleOutput': {} }, options),
      ]);
      return { wait, output: printable(output ?? '') };
    },
    [server.id],
    data => data.wait,
  );
  const text = poll.data?.output;
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text, follow]);
  return html`
    <p class="hint">${t('log.hint')}</p>
    <div class="toolbar">
      <${CheckField} label=${t('log.follow')} checked=${follow} onChange=${event => setFollow(event.currentTarget.checked)} />
      <${Button} small icon="refresh" onClick=${poll.refresh}>${t('action.refresh')}<//>
      ${text && html`<${Button} small icon="download" onClick=${() => saveText(`${nameOf(server)}.log`, text)}>${t('action.download')}<//>`}
    </div>
    <${Loaded} poll=${poll}>
      ${({ output }) => html`<pre class="console" ref=${box} tabindex="0" aria-label=${t('instance.log')}>${output === '' ? t('log.empty') : output}</pre>`}
    <//>
  `;
}

/** Without the escape sequences of terminals. */
const printable = text =>
  text
    .replace(/\u001b\[[0-9;?]*[A-Za-z]|\u001b[()][A-Z0-9]|\u001b[=>78cM]/g, '')
    .replace(/\r\n/g, '\n')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '');
