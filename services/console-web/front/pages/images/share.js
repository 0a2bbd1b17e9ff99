import { cloud, path, session } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { Dialog } from '../../ui/dialog.js';
import { Button, CheckField, Empty, Loaded, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tellError } from '../../ui/toasts.js';

/** The projects that see an image beside its own. @param {any} props */
export function ShareImage({ image, onClose }) {
  const url = `v1/${path('images', image.id)}/members`;
  const [project, setProject] = useState('');
  const [canShare, setCanShare] = useState(false);
  const poll = usePoll(async options => (await cloud.get('image', url, options)).members, [image.id]);
  const names = new Map(session.get().projects.map(({ id, name }) => [id, name]));
  const change = async work => {
    try {
      await work();
      setProject('');
      await poll.refresh();
    } catch (error) {
      tellError(error);
    }
  };
  const add = event => {
    event.preventDefault();
    void change(() =>
      cloud.put('image', `${url}/${encodeURIComponent(project.trim())}`, { member: { can_share: canShare } }),
    );
  };
  return html`
    <${Dialog} title=${t('images.shareTitle', { name: image.name ?? image.id })} onClose=${onClose}>
      <div class="dialog-body">
        ${image.is_public && html`<p class="hint">${t('images.isPublic')}</p>`}
        <form class="stack" onSubmit=${add}>
          <${TextField} label=${t('images.projectId')} name="project" required value=${project} onInput=${event => setProject(event.currentTarget.value)} hint=${t('images.projectHint')} />
          <${CheckField} label=${t('images.canShare')} checked=${canShare} onChange=${event => setCanShare(event.currentTarget.checked)} />
          <button type="submit" class="button primary">${t('images.share')}</button>
        </form>
        <${Loaded} poll=${poll}>
          ${members => html`
            <${Table}
              label=${t('images.share')}
              rows=${members}
              keyOf=${row => row.member_id}
              empty=${html`<${Empty} icon="identity" title=${t('images.noMembers')} />`}
              columns=${[
                {
                  key: 'project',
                  title: t('column.project'),
                  cell: row => names.get(row.member_id) ?? html`<code>${row.member_id}</code>`,
                },
                {
                  key: 'share',
                  title: t('images.canShare'),
                  cell: row => t(row.can_share ? 'state.yes' : 'state.no'),
                },
              ]}
              actions=${row => html`<${Button} kind="bare" icon="trash" label=${t('action.remove')} onClick=${() => change(() => cloud.delete('image', `${url}/${encodeURIComponent(row.member_id)}`))} />`}
            />
          `}
        <//>
      </div>
    <//>
  `;
}
