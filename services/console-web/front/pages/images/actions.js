import { cloud, path } from '../../lib/api.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { confirm, openDialog } from '../../ui/dialog.js';
import { tell } from '../../ui/toasts.js';
import { openLaunch } from '../instances/open-launch.js';
import { EditImage } from './edit.js';
import { ShareImage } from './share.js';

/** What can be done with an image, by who asks and its state. */
export function imageMenu(image, { user, done }) {
  const own = user.admin || image.owner === user.project.id;
  const active = image.status === 'active';
  const bootable =
    active && !['ari', 'aki'].includes(image.container_format) && user.services.includes('compute');
  return [
    ...(bootable ? [{ text: t('launch.open'), run: () => openLaunch({ image: image.id, done }) }] : []),
    ...(active
      ? [
          {
            text: t('action.download'),
            href: `${cloud.url('image', `v1/${path('images', image.id)}`)}?saveas=${encodeURIComponent(`${image.name ?? image.id}.${image.disk_format ?? 'img'}`)}`,
            download: '',
          },
        ]
      : []),
    ...(own
      ? [
          {
            text: t('images.edit'),
            run: () =>
              openDialog(close => html`<${EditImage} image=${image} done=${done} onClose=${close} />`),
          },
          {
            text: t('images.share'),
            run: () => openDialog(close => html`<${ShareImage} image=${image} onClose=${close} />`),
          },
          null,
          { text: t('action.delete'), danger: true, run: () => remove(image, done) },
        ]
      : []),
  ];
}

const remove = (image, done) =>
  confirm({
    title: t('instances.delete', { name: image.name ?? image.id }),
    text: t('images.deleteText'),
    submit: t('action.delete'),
    run: async () => {
      await cloud.delete('image', `v1/${path('images', image.id)}`);
      tell(t('told.deleted', { name: image.name ?? image.id }));
      await done();
    },
  });
