import { cloud } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, Loaded, SelectField } from '../../ui/parts.js';
import { tell, tellError } from '../../ui/toasts.js';
import { act } from './actions.js';

const NEW = 'new:';

async function load(options) {
  const [{ floating_ips: addresses }, { floating_ip_pools: pools }] = await Promise.all([
    cloud.get('compute', 'os-floating-ips', options),
    cloud.get('compute', 'os-floating-ip-pools', options).catch(() => ({ floating_ip_pools: [] })),
  ]);
  return { free: addresses.filter(address => !address.instance_id), pools };
}

/** Gives an instance an address that others reach, or takes it away. @param {any} props */
export function FloatingAddress({ server, addresses, done }) {
  const floating = addresses.filter(address => address.floating);
  const take = async address => {
    try {
      await act(server, { removeFloatingIp: { address } }, 'removeFloating');
      tell(t('told.addressTaken', { address }));
      await done();
    } catch (error) {
      tellError(error);
    }
  };
  return html`
    <div class="row">
      <${Button} small icon="plus" onClick=${() => openDialog(close => html`<${Give} server=${server} done=${done} onClose=${close} />`)}>${t('floating.give')}<//>
      ${floating.map(({ address }) => html`<${Button} key=${address} small onClick=${() => take(address)}>${t('floating.take', { address })}<//>`)}
    </div>
  `;
}

function Give({ server, done, onClose }) {
  const poll = usePoll(load, []);
  const send = async form => {
    let address = String(form.get('address'));
    if (address.startsWith(NEW)) {
      const made = await cloud.post('compute', 'os-floating-ips', { pool: address.slice(NEW.length) });
      address = made.floating_ip.ip;
    }
    await act(server, { addFloatingIp: { address } }, 'addFloating');
    tell(t('told.addressGiven', { address }));
    await done();
  };
  return html`
    <${FormDialog} title=${t('floating.give')} submit=${t('action.associate')} onClose=${onClose} onSubmit=${send} disabled=${!poll.data}>
      <${Loaded} poll=${poll}>
        ${({ free, pools }) =>
          free.length + pools.length === 0
            ? html`<p>${t('floating.noPool')}</p>`
            : html`<${SelectField}
                label=${t('floating.one')}
                name="address"
                options=${[...free.map(({ ip }) => [ip, ip]), ...pools.map(({ name }) => [NEW + name, t('floating.fromPool', { pool: name })])]}
              />`}
      <//>
    <//>
  `;
}
