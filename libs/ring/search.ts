import { must } from '@folsom/core';
import type { RingBuilder } from './builder.ts';
import { liveDevices } from './builder.ts';
import type { BuilderDevice, RingDevice } from './devices.ts';

/** A value on the command line that has no device's form. The text is what Python's ValueError says. */
export class SearchValueError extends Error {
  override readonly name = 'ValueError';
}

type Field = 'id' | 'zone' | 'ip' | 'port' | 'device' | 'meta';
export type DeviceMatch = [Field, string | number][];

/** Reads the parts that a value gives, from its front; what it cannot read is left over. */
export class DeviceText {
  rest: string;
  readonly parts: DeviceMatch = [];
  constructor(text: string) {
    this.rest = text;
  }

  number(prefix: string, field: Field): this {
    if (!this.rest.startsWith(prefix)) return this;
    const digits = must(/^\d*/.exec(this.rest.slice(prefix.length)), 'the pattern matches')[0];
    if (digits === '') throw new SearchValueError("invalid literal for int() with base 10: ''");
    this.parts.push([field, Number(digits)]);
    this.rest = this.rest.slice(prefix.length + digits.length);
    return this;
  }

  skip(prefix: string): this {
    if (this.rest.startsWith(prefix)) this.rest = this.rest.slice(prefix.length);
    return this;
  }

  address(): this {
    const plain = /^\d[\d.]*/.exec(this.rest);
    const bracketed = /^\[[^\]]*\]?/.exec(this.rest);
    const found = plain ?? bracketed;
    if (!found) return this;
    this.parts.push(['ip', found[0].replace(/^\[+/, '').replace(/\]+$/, '')]);
    this.rest = this.rest.slice(found[0].length);
    return this;
  }

  name(): this {
    if (!this.rest.startsWith('/')) return this;
    const end = this.rest.indexOf('_', 1);
    this.parts.push(['device', this.rest.slice(1, end < 0 ? undefined : end)]);
    this.rest = end < 0 ? '' : this.rest.slice(end);
    return this;
  }

  meta(): this {
    if (!this.rest.startsWith('_')) return this;
    this.parts.push(['meta', this.rest.slice(1)]);
    this.rest = '';
    return this;
  }
}

/** The devices a search value such as `d1z2-1.2.3.4:6000/sdb1_text` means; any part may be missing. */
export function searchDevices(builder: RingBuilder, value: string): BuilderDevice[] {
  const text = new DeviceText(value);
  text.number('d', 'id').number('z', 'zone').skip('-').address().number(':', 'port').name().meta();
  if (text.rest !== '') throw new SearchValueError(`Invalid <search-value>: ${pythonRepr(value)}`);
  return liveDevices(builder).filter(device =>
    text.parts.every(([field, wanted]) =>
      field === 'meta' ? device.meta.includes(String(wanted)) : device[field] === wanted,
    ),
  );
}

/** `d0z1-1.2.3.4:6000/sdb1_"text"`, an IPv6 address in brackets if `brackets`. */
export const formatDevice = (device: RingDevice, brackets = true): string =>
  `d${device.id}z${device.zone}-${brackets && device.ip.includes(':') ? `[${device.ip}]` : device.ip}:` +
  `${device.port}/${device.device}_"${device.meta}"`;

/** Python's repr of a str. */
export function pythonRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = '';
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    if (character === quote || character === '\\') out += `\\${character}`;
    else if (character === '\n') out += '\\n';
    else if (character === '\r') out += '\\r';
    else if (character === '\t') out += '\\t';
    else if (byte < 0x20 || byte > 0x7e) out += `\\x${byte.toString(16).padStart(2, '0')}`;
    else out += character;
  }
  return quote + out + quote;
}
