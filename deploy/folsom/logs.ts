import { createReadStream, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import type { Layout } from './layout.ts';
import { type LogFilter, lineFilter } from './log-entry.ts';

export interface LogsOptions extends LogFilter {
  /** Goes on as the log grows, until interrupted. */
  follow: boolean;
}

/** Copies the log, or those of its lines that are asked for, to standard output. */
export async function logs(
  layout: Pick<Layout, 'log'>,
  options: LogsOptions,
  out: Writable = process.stdout,
): Promise<number> {
  const wanted = filterOf(options);
  let position = 0;
  /** What came of a line that is still being written. */
  let begun = Buffer.alloc(0);
  const copy = async () => {
    const { size } = await stat(layout.log);
    if (size < position) {
      position = 0;
      begun = Buffer.alloc(0);
    }
    if (size === position) return;
    const stream = createReadStream(layout.log, { start: position, end: size - 1 });
    position = size;
    for await (const chunk of stream) {
      const bytes = Buffer.concat([begun, chunk as Buffer]);
      const end = bytes.lastIndexOf(10) + 1;
      begun = bytes.subarray(end);
      const whole = bytes.subarray(0, end);
      if (!wanted) out.write(whole);
      else
        for (const line of whole.toString('utf8').split('\n'))
          if (line && wanted(line)) out.write(`${line}\n`);
    }
  };
  try {
    await copy();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Error(`there is no log yet: ${layout.log}`);
    throw error;
  }
  if (!options.follow) {
    if (begun.length > 0 && (!wanted || wanted(begun.toString('utf8')))) out.write(begun);
    return 0;
  }
  out.once('error', () => process.exit(0));
  let work = Promise.resolve();
  const watcher = watch(layout.log, () => {
    work = work.then(copy, () => {});
  });
  await new Promise<void>(resolve => process.once('SIGINT', () => resolve()));
  watcher.close();
  return 0;
}

/** Undefined where every line is wanted. */
const filterOf = ({ request, tenant, level, service }: LogsOptions) =>
  [request, tenant, level, service].every(value => value === undefined)
    ? undefined
    : lineFilter({ request, tenant, level, service });
