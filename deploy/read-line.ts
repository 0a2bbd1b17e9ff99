import { readSync } from 'node:fs';
import { must } from '@folsom/core';

/** One line of standard input; empty at its end. */
export function readLine(): string {
  const byte = Buffer.alloc(1);
  const bytes: number[] = [];
  for (;;) {
    if (readSync(0, byte, 0, 1, null) === 0 || byte[0] === 0x0a) return Buffer.from(bytes).toString('utf8');
    bytes.push(must(byte[0], 'byte is not empty'));
  }
}
