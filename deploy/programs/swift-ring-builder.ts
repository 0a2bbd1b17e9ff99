import { readSync } from 'node:fs';
import { must, systemClock, systemRandom } from '@folsom/core';
import { runRingBuilder } from '@folsom/ring';

/** swift-ring-builder: makes, changes and balances ring builders, and writes rings from them. */
export async function main(argv: string[]): Promise<number> {
  return runRingBuilder(argv, {
    clock: systemClock,
    random: systemRandom,
    out: text => void process.stdout.write(text),
    err: text => void process.stderr.write(text),
    ask: prompt => {
      process.stdout.write(prompt);
      return readLine();
    },
  });
}

/** One line of standard input; empty at its end. */
function readLine(): string {
  const byte = Buffer.alloc(1);
  const bytes: number[] = [];
  for (;;) {
    if (readSync(0, byte, 0, 1, null) === 0 || byte[0] === 0x0a) return Buffer.from(bytes).toString('utf8');
    bytes.push(must(byte[0], 'byte is not empty'));
  }
}
