import { readFile, rename, writeFile } from 'node:fs/promises';
import { mutex } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { networkFault } from '@folsom/nova/network-faults';
import { type DnsDriver, qualified } from './driver.ts';

/** A line of the file: `address   name   type`; a domain is `domain   example.org   domain`. */
interface Line {
  address: string;
  name: string;
  type: string;
}

const HEAD = '#  minidns\n\n\n';
const DOMAIN = 'domain';

const parse = (text: string): Line[] =>
  text.split('\n').flatMap(row => {
    const [address, name, type] = row.trim().split(/\s+/);
    return address && name && type && !address.startsWith('#') ? [{ address, name, type }] : [];
  });

const format = (lines: readonly Line[]): string =>
  HEAD + lines.map(({ address, name, type }) => `${address}   ${name}   ${type}\n`).join('');

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** Folsom's MiniDNS: a file that nobody answers from, in the original's form. */
export function miniDns(path: string): DnsDriver {
  const inTurn = mutex();
  const read = async (): Promise<Line[]> => {
    const text = await readFile(path, 'utf8').catch(error => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return '';
    });
    return parse(text);
  };
  const write = async (lines: readonly Line[]): Promise<void> => {
    await writeFile(`${path}.new`, format(lines));
    await rename(`${path}.new`, path);
  };
  /** Writes what the change makes of the lines. */
  const change = (work: (lines: Line[]) => Line[]): Promise<void> =>
    inTurn(async () => write(work(await read())));
  const without = (lines: Line[], gone: (line: Line) => boolean): Line[] => {
    const left = lines.filter(line => !gone(line));
    if (left.length === lines.length) throw novaFault('NotFound');
    return left;
  };
  const domainOf = (line: Line): string =>
    line.address === DOMAIN ? line.name : line.name.slice(line.name.indexOf('.') + 1);
  const known = (lines: readonly Line[], full: string): boolean => lines.some(line => same(line.name, full));

  return {
    keeps: true,
    domains: async () => (await read()).filter(line => line.address === DOMAIN).map(line => line.name),
    createDomain: domain =>
      change(lines => {
        if (known(lines, domain)) throw networkFault('FloatingIpDNSExists', { name: domain, domain: '' });
        return [...lines, { address: DOMAIN, name: domain, type: DOMAIN }];
      }),
    deleteDomain: domain => change(lines => without(lines, line => same(domainOf(line), domain))),
    createEntry: ({ name, domain, address, type }) =>
      change(lines => {
        if (!same(type, 'A'))
          throw novaFault('InvalidInput', { reason: "This driver only supports type 'a'" });
        const full = qualified(name, domain);
        if (known(lines, full)) throw networkFault('FloatingIpDNSExists', { name, domain });
        return [...lines, { address, name: full, type }];
      }),
    deleteEntry: (name, domain) =>
      change(lines => without(lines, line => same(line.name, qualified(name, domain)))),
    modifyAddress: (name, address, domain) =>
      change(lines => {
        const full = qualified(name, domain);
        if (!known(lines, full)) throw novaFault('NotFound');
        return lines.map(line => (same(line.name, full) ? { ...line, address } : line));
      }),
    namesOf: async (address, domain) => {
      const tail = domain ? `.${domain.toLowerCase()}` : '';
      return (await read())
        .filter(line => same(line.address, address) && line.name.toLowerCase().endsWith(tail))
        .map(line => line.name.slice(0, line.name.length - tail.length));
    },
    addressesOf: async (name, domain) =>
      (await read()).filter(line => same(line.name, qualified(name, domain))).map(line => line.address),
    refresh: async () => {},
    stop: async () => {},
  };
}
