import { expect, it } from 'vitest';
import { PORTS, portsWithOffset } from '../deploy/folsom/layout.ts';
import { PORT_OFFSETS } from './port-offsets.ts';

it('no two clouds of these suites want the same port', () => {
  const owners = new Map<number, string>();
  for (const [name, port] of Object.entries(PORTS)) owners.set(port, `standard ${name}`);
  const twice: string[] = [];
  for (const [suite, offset] of Object.entries(PORT_OFFSETS)) {
    for (const [name, port] of Object.entries(portsWithOffset(offset))) {
      const owner = owners.get(port);
      if (owner !== undefined) twice.push(`${port}: ${owner} and ${suite} ${name}`);
      owners.set(port, `${suite} ${name}`);
    }
  }
  expect(twice).toEqual([]);
});
