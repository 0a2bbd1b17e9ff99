import { must } from '@folsom/core';
import { type Command, Exit, type ManageContext } from '../command.ts';

const VOLUME = { name: '--volume', dest: 'volume_id', metavar: '<volume id>', help: 'Volume ID' };

const ABOUT = {
  nowhere: ['Volume not yet assigned to host.', 'Deleting volume from database and skipping rpc.'],
  'in use': ['Volume is in-use.', 'Detach volume from instance and then try again.'],
  'on a host': [],
} as const;

/** These commands look into nova's own volume tables. */
function needsNovaVolume(context: ManageContext, command: string): void {
  if (!context.settings.volume_api_class.includes('cinder')) return;
  context.print(`"nova-manage volume ${command}" only valid when using nova-volume service`);
  throw new Exit(1);
}

export const volumeCommands: Record<string, Command> = {
  delete: {
    doc: 'Delete a volume whatever its state says. Deprecated.',
    flags: [VOLUME],
    parameters: ['volume_id'],
    required: 1,
    run: async (context, { volume_id }) => {
      context.print(
        '"nova-manage volume delete" is deprecated; use the os-reset_status os-admin-actions extension instead.',
      );
      needsNovaVolume(context, 'delete');
      const { volumes } = await context.operator();
      await volumes.remove(must(volume_id, 'volume_id is there'), what => {
        for (const line of ABOUT[what]) context.print(line);
      });
    },
  },
  reattach: {
    doc: 'Attach a volume again that was attached to a server before its host was restarted.',
    flags: [VOLUME],
    parameters: ['volume_id'],
    required: 1,
    run: async (context, { volume_id }) => {
      needsNovaVolume(context, 'reattach');
      const { volumes } = await context.operator();
      const known = await volumes.reattach(must(volume_id, 'volume_id is there'));
      if (!known) context.print('volume is not attached to an instance');
    },
  },
};
