import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import koffi from 'koffi';

type Collect = (options: { type: 'major'; execution: 'async' }) => Promise<void>;

const mallocTrim = koffi.load('libc.so.6').func('int malloc_trim(size_t pad)');
let collect: Collect | null = null;

function collector(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}

/**
 * Gives the system the memory back that large transfers have left. V8 frees buffers only when it next collects, which
 * an idle process never does, and the C library keeps what lies between pieces still in use. The collection stops the
 * process for some milliseconds; the rest is done by a thread.
 */
export async function giveBackMemory(): Promise<void> {
  collect ??= collector();
  await collect({ type: 'major', execution: 'async' });
  await new Promise<void>((resolve, reject) => {
    mallocTrim.async(0, (error: Error | null) => (error ? reject(error) : resolve()));
  });
}
