// `node measure.ts fake|libvirt STATE-DIR`: runs beside a cloud and prints its figures.
import { type Client, login, median } from './client.ts';
import { measureGuests } from './guests.ts';

/** A user may POST ten times a minute. */
const BOOTS = 9;

const [driver = 'fake', dir = ''] = process.argv.slice(2);
const client = await login(dir);
if (driver === 'fake') await measureFake(client);
else await measureGuests(client, dir);
process.exit(0);

async function measureFake(nova: Client): Promise<void> {
  const { images } = await nova.call<{ images: { id: string; name: string }[] }>('GET', 'images');
  const boot = async () => {
    const from = performance.now();
    const { server } = await nova.call<{ server: { id: string } }>('POST', 'servers', {
      server: { name: 'bench', imageRef: images[0]!.id, flavorRef: '1' },
    });
    const accepted = performance.now() - from;
    return { id: server.id, accepted, active: await nova.until(server.id, 'ACTIVE', from, 2) };
  };
  const accepted: number[] = [];
  const active: number[] = [];
  for (let round = 0; round < BOOTS; round++) {
    const one = await boot();
    if (round > 0) {
      accepted.push(one.accepted);
      active.push(one.active);
    }
    await nova.gone(one.id);
  }
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  console.log(
    `fake     POST servers answered after ${ms(median(accepted))}, ACTIVE after ${ms(median(active))}`,
  );
}
