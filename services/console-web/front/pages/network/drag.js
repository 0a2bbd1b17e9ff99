import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';

/** What an address is carried as: nothing else can be dropped here. */
const KIND = 'application/x-floating-address';

/** What makes a row with an address one that can be carried. */
export const draggable = address => ({
  draggable: true,
  onDragStart: event => {
    event.dataTransfer.setData(KIND, address.ip);
    event.dataTransfer.effectAllowed = 'move';
  },
});

/**
 * Where addresses can be dropped: on an instance, or to be free. The menu of an address does the same without a mouse.
 * @param {any} props
 */
export function Targets({ servers, addresses, move, take }) {
  const at = server => addresses.filter(({ instance_id }) => instance_id === server.id);
  return html`
    <section class="targets" aria-label=${t('floating.targets')}>
      <p class="hint">${t('floating.drag')}</p>
      <ul>
        <${Target} name=${t('floating.free')} lead=${address => address.instance_id && take(address)} addresses=${addresses} />
        ${servers.map(
          server => html`
            <${Target}
              key=${server.id}
              name=${server.name}
              has=${at(server)}
              addresses=${addresses}
              lead=${address => address.instance_id !== server.id && move(address, server.id)}
            />
          `,
        )}
      </ul>
    </section>
  `;
}

function Target({ name, has = [], addresses, lead }) {
  const [over, setOver] = useState(false);
  return html`
    <li
      class=${over ? 'over' : ''}
      onDragOver=${event => {
        if (!event.dataTransfer.types.includes(KIND)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave=${() => setOver(false)}
      onDrop=${event => {
        event.preventDefault();
        setOver(false);
        const address = addresses.find(({ ip }) => ip === event.dataTransfer.getData(KIND));
        if (address) lead(address);
      }}
    >
      <span>${name}</span>
      ${has.map(({ ip }) => html`<code key=${ip}>${ip}</code>`)}
    </li>
  `;
}
