import { must } from '@folsom/core';
import { novaOptions } from '@folsom/nova/options';
import { attachedVolume, forgetVolume, volumeForOperator } from '@folsom/nova/volume-rescue';
import { type Command, Exit, type ManageContext } from '../command.ts';

const VOLUME = { name: '--volume', dest: 'volume_id', metavar: '<volume id>', help: 'Volume ID' };

/** These commands look into nova's own volume tables. */
function needsNovaVolume(context: ManageContext, command: string): void {
  if (!context.config.of(novaOptions).volume_api_class.includes('cinder')) return;
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
      const db = await context.db();
      const volume = await volumeForOperator(db, must(volume_id, 'volume_id is there'));
      if (!volume.host) {
        context.print('Volume not yet assigned to host.');
        context.print('Deleting volume from database and skipping rpc.');
        await forgetVolume(db, volume.id, context.clock.now());
      } else if (volume.status === 'in-use') {
        context.print('Volume is in-use.');
        context.print('Detach volume from instance and then try again.');
      } else {
        const { volume_topic } = context.config.of(novaOptions);
        await context.cast(`${volume_topic}.${volume.host}`, {
          method: 'delete_volume',
          args: { volume_id: volume.id },
        });
      }
    },
  },
  reattach: {
    doc: 'Attach a volume again that was attached to a server before its host was restarted.',
    flags: [VOLUME],
    parameters: ['volume_id'],
    required: 1,
    run: async (context, { volume_id }) => {
      needsNovaVolume(context, 'reattach');
      const db = await context.db();
      const options = context.config.of(novaOptions);
      const volume = await volumeForOperator(db, must(volume_id, 'volume_id is there'));
      const attached = await attachedVolume(db, volume, options.instance_name_template);
      if (!attached) {
        context.print('volume is not attached to an instance');
        return;
      }
      await context.cast(`${options.compute_topic}.${attached.host}`, {
        method: 'attach_volume',
        args: { instance: attached.instance, volume_id: volume.id, mountpoint: volume.mountpoint },
        version: '2.0',
      });
    },
  },
};
