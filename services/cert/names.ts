import { must } from '@folsom/core';
import { dottedOid, elements, oid, printableString, sequence, set, utf8String } from '@folsom/der';

/** A distinguished name: `[['C', 'US'], ['O', 'OpenStack']]`. */
export type Name = readonly (readonly [key: string, value: string])[];

const OIDS: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  emailAddress: '1.2.840.113549.1.9.1',
};
const KEYS = new Map(Object.entries(OIDS).map(([key, dotted]) => [dotted, key]));

/**
 * A name from Folsom's template, e.g. `/C=US/O=OpenStack/CN=%.16s-%s`: each `%s` or `%.16s` takes the next value. A
 * value cannot add parts to the name, whatever is in it. Throws for a part that no certificate knows.
 */
export function nameFrom(template: string, values: readonly string[]): Name {
  let next = 0;
  return template
    .split('/')
    .filter(part => part.includes('='))
    .map(part => {
      const at = part.indexOf('=');
      const key = part.slice(0, at);
      if (!Object.hasOwn(OIDS, key)) throw new Error(`certificate subject: unknown part ${key}`);
      const text = part.slice(at + 1).replace(/%(?:\.(\d+))?s/g, (_whole, length: string | undefined) => {
        const value = values[next++] ?? '';
        return length === undefined ? value : value.slice(0, Number(length));
      });
      return [key, text] as const;
    });
}

export const encodeName = (name: Name): Buffer =>
  sequence(
    ...name.map(([key, value]) =>
      set(
        sequence(
          oid(must(OIDS[key], 'key is in OIDS')),
          key === 'C' ? printableString(value) : utf8String(value),
        ),
      ),
    ),
  );

/** Reads a name as certificates hold it. */
export function decodeName(der: Buffer): Name {
  const [whole] = elements(der);
  return elements(must(whole, 'whole is there').content).flatMap(part =>
    elements(part.content).map(pair => {
      const [type, value] = elements(pair.content);
      const dotted = dottedOid(must(type, 'type is there').content);
      const encoding = must(value, 'value is there').tag === 0x0c ? 'utf8' : 'latin1';
      return [KEYS.get(dotted) ?? dotted, must(value, 'value is there').content.toString(encoding)] as const;
    }),
  );
}

/** `C=US, O=OpenStack`, as openssl prints a name. */
export const nameText = (name: Name): string => name.map(([key, value]) => `${key}=${value}`).join(', ');
