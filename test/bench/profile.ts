// Loaded into every measured process before its program (`--import`): SIGUSR2 begins a profile of the processor, the next one
// ends it and writes it to the folder that BENCH_PROFILES names.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';
import { basename, join } from 'node:path';

const folder = process.env.BENCH_PROFILES;
const INTERVAL_US = 500;

if (folder !== undefined) {
  let session: Session | null = null;
  process.on('SIGUSR2', () => {
    if (!session) {
      session = new Session();
      session.connect();
      session.post('Profiler.enable');
      session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
      session.post('Profiler.start');
      return;
    }
    const ended = session;
    session = null;
    ended.post('Profiler.stop', (_error, result) => {
      ended.disconnect();
      const path = join(folder, `${process.pid}.cpuprofile`);
      writeFileSync(`${path}.part`, JSON.stringify(result.profile));
      renameSync(`${path}.part`, path);
    });
  });
}

const SHOWN = 10;
const NOT_WORK = new Set(['(idle)', '(root)']);

/** The functions with most time of their own, a line each. */
function hottest(profile: Profiler.Profile): string[] {
  const spent = new Map<string, number>();
  let sum = 0;
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  profile.samples?.forEach((id, i) => {
    const frame = names.get(id);
    const us = profile.timeDeltas?.[i] ?? 0;
    if (!frame || NOT_WORK.has(frame.functionName) || frame.url === 'node:inspector') return;
    sum += us;
    const where = frame.url ? ` ${basename(frame.url)}:${frame.lineNumber + 1}` : '';
    const name = `${frame.functionName || '(anonymous)'}${where}`;
    spent.set(name, (spent.get(name) ?? 0) + us);
  });
  return [...spent]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([name, us]) => `    ${((100 * us) / sum).toFixed(1).padStart(5)} %  ${name}`);
}

const ANSWER_MS = 20_000;

/** Profiles of other processes that were started with this module, from now until the function it gives is called. */
export function profileOthers(
  at: string,
  pids: Readonly<Record<string, readonly number[]>>,
): () => Promise<string[]> {
  for (const name of readdirSync(at)) rmSync(join(at, name));
  const all = Object.entries(pids).flatMap(([name, own]) => own.map(pid => ({ name, pid })));
  for (const { pid } of all) process.kill(pid, 'SIGUSR2');
  return async () => {
    for (const { pid } of all) process.kill(pid, 'SIGUSR2');
    const lines: string[] = [];
    for (const { name, pid } of all) {
      const path = join(at, `${pid}.cpuprofile`);
      for (let waited = 0; !existsSync(path) && waited < ANSWER_MS; waited += 20)
        await new Promise(resolve => setTimeout(resolve, 20));
      if (existsSync(path))
        lines.push(`  ${name} (${pid})`, ...hottest(JSON.parse(readFileSync(path, 'utf8'))));
    }
    return lines;
  };
}
