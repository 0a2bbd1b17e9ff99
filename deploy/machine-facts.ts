import { hostname, networkInterfaces } from 'node:os';

/** What only the running machine knows and configuration files usually leave out, as options of DEFAULT. */
export function machineFacts(): { host: string; my_ip: string } {
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []);
  const own = addresses.find(item => item.family === 'IPv4' && !item.internal);
  return { host: hostname(), my_ip: own?.address ?? '127.0.0.1' };
}
