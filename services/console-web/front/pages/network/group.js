import { cloud, path } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, Empty, Loaded, PageHead, SelectField, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell, tellError } from '../../ui/toasts.js';
import { inWords, PRESETS } from './rules.js';

const CUSTOM = 'custom';

/** A security group: its rules in words. */
export default function Group({ id }) {
  const poll = usePoll(
    async options => {
      const [{ security_group: group }, { security_groups: groups }] = await Promise.all([
        cloud.get('compute', path('os-security-groups', id), options),
        cloud.get('compute', 'os-security-groups', options),
      ]);
      return { group, groups };
    },
    [id],
  );
  const back = { href: '/network?tab=groups', text: t('nav.groups') };
  if (poll.error && !poll.data && poll.error.status !== 0 && poll.error.status < 500) {
    return html`<${PageHead} title=${t('groups.one')} back=${back} /><${Empty} icon="network" title=${t('groups.notFound')} />`;
  }
  const remove = async rule => {
    try {
      await cloud.delete('compute', path('os-security-group-rules', rule.id));
      tell(t('told.saved'));
      await poll.refresh();
    } catch (error) {
      tellError(error);
    }
  };
  return html`
    <${PageHead} title=${poll.data?.group.name ?? t('groups.one')} sub=${poll.data?.group.description} back=${back}>
      ${poll.data && html`<${Button} kind="primary" icon="plus" onClick=${() => openDialog(close => html`<${AddRule} ...${poll.data} done=${poll.refresh} onClose=${close} />`)}>${t('rule.add')}<//>`}
    <//>
    <${Loaded} poll=${poll}>
      ${({ group }) => html`
        <p class="hint">${t('groups.hint')}</p>
        <${Table}
          label=${t('groups.rules')}
          rows=${group.rules}
          empty=${html`<${Empty} icon="network" title=${t('groups.closed')} />`}
          columns=${[
            { key: 'words', title: t('groups.rules'), cell: rule => inWords(rule) },
            {
              key: 'protocol',
              title: t('rule.protocol'),
              cell: rule => String(rule.ip_protocol ?? '–').toUpperCase(),
            },
            {
              key: 'ports',
              title: t('rule.portsTitle'),
              cell: rule =>
                rule.from_port === rule.to_port ? rule.from_port : `${rule.from_port}–${rule.to_port}`,
            },
            {
              key: 'from',
              title: t('rule.from'),
              cell: rule => html`<code>${rule.group?.name ?? rule.ip_range?.cidr ?? '0.0.0.0/0'}</code>`,
            },
          ]}
          actions=${rule => html`<${Button} kind="bare" icon="trash" label=${t('rule.remove', { rule: inWords(rule) })} onClick=${() => remove(rule)} />`}
        />
      `}
    <//>
  `;
}

function AddRule({ group, groups, done, onClose }) {
  const [kind, setKind] = useState('ssh');
  const [protocol, setProtocol] = useState('tcp');
  const [source, setSource] = useState('cidr');
  const send = async form => {
    const preset = PRESETS.find(({ key }) => key === kind);
    const ports = preset ?? {
      ip_protocol: protocol,
      from_port: Number(form.get('from')),
      to_port: Number(form.get('to')),
    };
    const security_group_rule = {
      parent_group_id: group.id,
      ip_protocol: ports.ip_protocol,
      from_port: ports.from_port,
      to_port: ports.to_port,
      ...(source === 'cidr' ? { cidr: String(form.get('cidr')) } : { group_id: Number(form.get('group')) }),
    };
    await cloud.post('compute', 'os-security-group-rules', { security_group_rule });
    tell(t('told.saved'));
    await done();
  };
  return html`
    <${FormDialog} title=${t('rule.add')} submit=${t('rule.add')} onClose=${onClose} onSubmit=${send}>
      <${SelectField} label=${t('rule.what')} value=${kind} onChange=${event => setKind(event.currentTarget.value)} options=${[...PRESETS.map(({ key }) => [key, t(`preset.${key}`)]), [CUSTOM, t('rule.custom')]]} />
      ${
        kind === CUSTOM &&
        html`
          <${SelectField} label=${t('rule.protocol')} value=${protocol} onChange=${event => setProtocol(event.currentTarget.value)} options=${['tcp', 'udp', 'icmp'].map(key => [key, key.toUpperCase()])} />
          <div class="columns">
            <${TextField} label=${t(protocol === 'icmp' ? 'rule.icmpType' : 'rule.first')} name="from" type="number" min="-1" max="65535" required />
            <${TextField} label=${t(protocol === 'icmp' ? 'rule.icmpCode' : 'rule.last')} name="to" type="number" min="-1" max="65535" required />
          </div>
        `
      }
      <${SelectField} label=${t('rule.from')} value=${source} onChange=${event => setSource(event.currentTarget.value)} options=${[['cidr', t('rule.byNetwork')], ['group', t('rule.byGroup')]]} />
      ${
        source === 'cidr'
          ? html`<${TextField} label=${t('rule.cidr')} name="cidr" value="0.0.0.0/0" required hint=${t('rule.cidrHint')} />`
          : html`<${SelectField} label=${t('groups.one')} name="group" options=${groups.map(other => [String(other.id), other.name])} />`
      }
    <//>
  `;
}
