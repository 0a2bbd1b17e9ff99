import { writeFileSync } from 'node:fs';
import { seededRandom, systemClock } from '@folsom/core';
import { SLOW } from '@folsom/testing';
import { expect, it } from 'vitest';
import { HOSTS, type SimulatedCloud, simulatedCloud, TENANTS } from './cloud.ts';
import { type History, heal, randomHistory } from './history.ts';
import { novaInvariants } from './invariants.ts';

/** FOLSOM_SIMULATION=from-to runs other seeds than those that always run, e.g. `7-7` to see one again. */
const [from = 1, to = SLOW ? 40 : 6] = (process.env.FOLSOM_SIMULATION ?? '')
  .split('-')
  .filter(Boolean)
  .map(Number);
const STEPS = 70;
/** In CI every day has histories of its own beside them. */
const SEEDS_A_DAY = 4;
const DAY_MS = 86_400_000;
const today = Math.floor(systemClock.now() / DAY_MS) * SEEDS_A_DAY;
const ofToday =
  process.env.CI && !process.env.FOLSOM_SIMULATION
    ? Array.from({ length: SEEDS_A_DAY }, (_, at) => today + at)
    : [];
if (ofToday.length > 0) console.info(`simulation: seeds of today ${ofToday.join(', ')}`);

it.each([...Array.from({ length: to - from + 1 }, (_, at) => from + at), ...ofToday])(
  'seed %i: whatever happens, the cloud comes to rest and nothing is lost',
  async seed => {
    const cloud = await simulatedCloud(seed);
    try {
      const history = await randomHistory(cloud, seededRandom(seed), STEPS);
      await heal(cloud);
      const found = [...history.wrong, ...(await novaInvariants(observed(cloud, history)))];
      if (found.length > 0) console.log(`seed ${seed}\n${history.events.join('\n')}`);
      if (process.env.FOLSOM_SIMULATION_LOG)
        writeFileSync(process.env.FOLSOM_SIMULATION_LOG, cloud.log.join(''));
      expect(found, `seed ${seed}`).toEqual([]);
    } finally {
      await cloud.stop();
    }
  },
);

const observed = (cloud: SimulatedCloud, history: History) => ({
  db: cloud.db,
  hosts: HOSTS,
  guests: (host: string) => cloud.guests(host as (typeof HOSTS)[number]),
  packetFilter: (host: string) => cloud.packetFilter(host as (typeof HOSTS)[number]),
  servers: history.servers,
  tenants: Object.values(TENANTS).map(({ tenantId, tenantName }) => ({
    id: tenantId,
    name: tenantName,
    absolute: async () =>
      (await cloud.until(cloud.call(tenantName as 'red', 'GET', 'limits'))).json.limits.absolute,
  })),
});
