import { powerState, taskState } from '@folsom/nova/instance-state';
import { computeContract } from '@folsom/nova/rpc/compute';
import type { InstanceWire } from '@folsom/nova/rpc/wire';
import type { Guest, VolumeDisk } from '../driver.ts';
import { type ComputeSeam, NotOurs, networked, powerStateOf } from '../seam.ts';
import type { Step } from '../steps.ts';
import { disconnectVolumes, reachVolumes } from '../volumes.ts';
import { again, operation, type Work } from './operation.ts';

/** What the message of a live migration says. */
interface Order {
  instance: InstanceWire;
  dest: string;
  block_migration: boolean;
}

interface Moving extends Work {
  order: Order | undefined;
  /** Whether the guest is on the other host already: the move was cut short behind that. */
  moved: boolean;
  /** The guest's volumes as the destination reaches them. */
  volumes: readonly VolumeDisk[];
}

const compute = ({ seam }: Work) => computeContract.client(seam.bus);

/** What only the message says; without it the destination has to finish the move. */
function orderOf({ order }: Moving): Order {
  if (order === undefined) throw new NotOurs('the destination takes over a guest that has arrived');
  return order;
}

const prepare: Step<Moving> = {
  name: 'prepare',
  restart: 'undo',
  run: async work => {
    const { seam, context, guest, moved } = work;
    if (moved) return;
    const { instance, dest, block_migration } = orderOf(work);
    const disk = block_migration ? await seam.driver.disksForMigration(guest) : null;
    const args = { instance, block_migration, disk };
    const prepared = await compute(work).pre_live_migration(context, args, { host: dest });
    work.volumes = prepared?.volumes ?? [];
  },
  undo: async work => {
    const { seam, context, guest, order } = work;
    if (order?.block_migration) {
      const { instance, dest } = order;
      await compute(work).rollback_live_migration_at_destination(context, { instance }, { host: dest });
    }
    await seam.network.setupOnHost(context, networked(guest), seam.host);
  },
};

const send: Step<Moving> = {
  name: 'migrate',
  restart: 'undo',
  commits: true,
  // libvirt has limits of its own for this, and says nothing meanwhile.
  run: async work => {
    const { dest, block_migration } = orderOf(work);
    const move = { block: block_migration, volumes: work.volumes };
    if (!work.moved) await work.seam.driver.liveMigrate(work.guest, dest, move);
    work.moved = true;
  },
  found: async ({ moved }) => moved,
};

/** The destination makes it its own. */
const arrive: Step<Moving> = {
  name: 'arrive',
  restart: 'undo',
  commits: true,
  run: async work => {
    const { instance, dest, block_migration } = orderOf(work);
    if (work.guest.host !== dest)
      await compute(work).post_live_migration_at_destination(
        work.context,
        { instance, block_migration },
        { host: dest },
      );
  },
};

const clear: Step<Moving> = {
  name: 'clear',
  restart: 'undo',
  run: async work => {
    const { seam, context, guest } = work;
    const { block_migration } = orderOf(work);
    const network = await seam.network.instanceNetworkInfo(context, networked(await again(work)));
    const volumes = await reachVolumes(seam, context, guest);
    if (block_migration) await seam.driver.destroy(guest, network, volumes);
    else await seam.driver.forgetMoved(guest);
    await seam.driver.disconnectVolumes(guest, volumes);
    await disconnectVolumes(seam, context, guest);
    await seam.network.setupOnHost(context, networked(guest, seam.host), seam.host, true);
  },
};

/**
 * On the source: moves the guest while it runs. A failure leaves it running here as if nothing had been. Begun again, it
 * goes on behind what has happened.
 */
export const liveMigration = operation<Moving, Order>({
  name: 'live_migration',
  methods: ['live_migration'],
  asked: [taskState.migrating],
  carries: 'the destination',
  errorState: false,
  steps: [prepare, send, arrive, clear],
  admits: async (seam, guest, order) => {
    if (guest.host === seam.host) return guest.task_state === taskState.migrating;
    // The destination has it; what is left here is to be cleared.
    return guest.host === order?.dest && guest.task_state === null && !(await isHere(seam, guest));
  },
  begin: async (work, order) => ({
    ...work,
    order,
    moved: !(await isHere(work.seam, work.guest)),
    volumes: [],
  }),
  async done({ seam, guest, order }) {
    seam.resources.changed();
    seam.log.info('a guest was moved', { instance: guest.uuid, dest: order?.dest });
  },
});

const isHere = async (seam: ComputeSeam, guest: Guest): Promise<boolean> =>
  (await powerStateOf(seam, guest)) !== powerState.noState;
