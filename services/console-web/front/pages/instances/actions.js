import { cloud } from '../../lib/api.js';
import { BASE, t } from '../../lib/text.js';
import { confirm } from '../../ui/dialog.js';
import { tell, tellError } from '../../ui/toasts.js';
import { noteRequest } from './requests.js';
import { actionsOf } from './states.js';

export const nameOf = server => server.name || server.id;

const urlOf = server => `servers/${encodeURIComponent(server.id)}`;

/** Sends an action; its request is remembered for the time line. */
export async function act(server, body, name) {
  const { headers } = await cloud.full('POST', 'compute', `${urlOf(server)}/action`, { body });
  noteRequest(server.id, name, headers.get('x-compute-request-id'));
}

const remove = (server, done) =>
  confirm({
    title: t('instances.delete', { name: nameOf(server) }),
    text: t('instances.deleteText'),
    submit: t('action.delete'),
    run: async () => {
      const { headers } = await cloud.full('DELETE', 'compute', urlOf(server), {});
      noteRequest(server.id, 'delete', headers.get('x-compute-request-id'));
      tell(t('told.deleting'));
      await done();
    },
  });

/** Those that ask something first. */
const FORMS = ['snapshot', 'resize', 'rebuild', 'rename', 'groups', 'metadata'];

/** Does an action, or opens its form. */
async function run(action, server, done) {
  try {
    if (action.key === 'delete') return remove(server, done);
    if (FORMS.includes(action.key)) {
      const forms = await import(`${BASE}pages/instances/forms.js`);
      return forms.open(action.key, server, done);
    }
    await act(server, action.body, action.key);
    tell(t('told.action', { action: t(`do.${action.key}`), name: nameOf(server) }));
    await done();
  } catch (error) {
    tellError(error);
  }
}

/** The entries of a menu for an instance, by its state. */
export const menuOf = (server, { admin, done }) =>
  actionsOf(server, admin).flatMap(action => [
    ...(action.key === 'lock' || action.danger ? [null] : []),
    { text: t(`do.${action.key}`), danger: action.danger, run: () => run(action, server, done) },
  ]);
