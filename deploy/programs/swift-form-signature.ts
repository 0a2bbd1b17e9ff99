import { systemClock } from '@folsom/core';
import { formSignature } from '@folsom/object-tools';

/** swift-form-signature: what a form needs that uploads straight into a container. */
export function main(argv: string[]): number {
  const { text, code } = formSignature(argv, systemClock.now() / 1000);
  process.stdout.write(text);
  return code;
}
