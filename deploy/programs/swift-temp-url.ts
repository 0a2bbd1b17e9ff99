import { systemClock } from '@folsom/core';
import { tempUrl } from '@folsom/object-tools';

/** swift-temp-url: a URL that lets anybody read or write one object for a while. */
export function main(argv: string[]): number {
  const { text, code } = tempUrl(argv, systemClock.now() / 1000);
  process.stdout.write(text);
  return code;
}
