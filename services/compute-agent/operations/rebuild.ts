import { virtualDevicesOf } from '@folsom/nova/block-devices';
import { taskState, vmState } from '@folsom/nova/instance-state';
import type { NetworkInfo } from '@folsom/nova/network-info';
import type { RebuildInstanceArgs } from '@folsom/nova/rpc/compute';
import type { ImageWire, InjectedFiles } from '@folsom/nova/rpc/wire';
import type { VolumeAttachment } from '../driver.ts';
import { networked, nowOf, powerStateOf } from '../seam.ts';
import { attachmentsOf } from '../volumes.ts';
import { hold, operation, STALLED_MS, type Work } from './operation.ts';
import { settle } from './power.ts';

interface Rebuild extends Work {
  image: ImageWire;
  files: InjectedFiles;
  password: string | null;
  network: NetworkInfo;
  volumes: readonly VolumeAttachment[];
}

async function begin(work: Work, message: RebuildInstanceArgs | undefined): Promise<Rebuild> {
  const { seam, context, guest } = work;
  const image = await seam.images.show(context, message?.image_ref ?? guest.image_ref);
  await seam.notify.exists(
    context,
    guest,
    'current',
    message && { imageRef: message.orig_image_ref, systemMetadata: message.orig_sys_metadata },
  );
  await seam.notify.usage(context, guest, 'rebuild.start', { image_name: image.name });
  return {
    ...work,
    image,
    files: message?.injected_files ?? [],
    password: message?.new_pass ?? null,
    network: await seam.network.instanceNetworkInfo(context, networked(guest)),
    volumes: await attachmentsOf(seam.db, guest.uuid),
  };
}

/** Makes the instance anew from an image; its addresses stay. Without its message it is made without files. */
export const rebuild = operation<Rebuild, RebuildInstanceArgs>({
  name: 'rebuild',
  methods: ['rebuild_instance'],
  asked: [taskState.rebuilding],
  carries: "the user's files and password",
  errorState: true,
  steps: [
    {
      name: 'destroy',
      task: taskState.rebuilding,
      restart: 'again',
      stalledMs: STALLED_MS,
      run: async work => {
        const { seam } = work;
        await hold(work, { power_state: await powerStateOf(seam, work.guest) });
        await seam.driver.destroy(work.guest, work.network, work.volumes);
      },
    },
    { name: 'prepare', task: taskState.rebuildBlockDeviceMapping, restart: 'again', run: async () => {} },
    {
      name: 'spawn',
      task: taskState.rebuildSpawning,
      restart: 'again',
      stalledMs: STALLED_MS,
      run: async (
        { seam, context, guest, image, files, password, network, volumes },
        { signal, progress },
      ) => {
        const virtualDevices = await virtualDevicesOf(seam.db.knex, guest.uuid);
        const request = { context, guest, image, network, volumes, virtualDevices, signal };
        await seam.driver.spawn({ ...request, injectedFiles: files, adminPassword: password }, async () =>
          progress(),
        );
      },
    },
    {
      name: 'record',
      restart: 'again',
      run: work => settle(work, { vm_state: vmState.active, launched_at: nowOf(work.seam) }),
    },
  ],
  begin,
  done: ({ seam, context, guest, image, network }) =>
    seam.notify.usage(context, guest, 'rebuild.end', { image_name: image.name }, network),
});
