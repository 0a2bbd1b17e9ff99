import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Clients2012 } from '@folsom/testing';

export const pythonFile = (name: string): string => fileURLToPath(new URL(`python/${name}`, import.meta.url));

export interface Shells {
  /** Runs a command line, words apart by one blank; what it printed. @throws where it ends with an error */
  run(line: string): Promise<string>;
  /** One that ends with an error; what it said. */
  refused(line: string): Promise<string>;
  stop(): void;
}

/** The shells of cinder and nova in one process of Python: most of a command's time is its start. */
export function startShells(clients: Clients2012, env: Record<string, string>): Shells {
  const child = spawn(`${clients.bin}/python`, [pythonFile('shells.py')], {
    env: {
      PATH: process.env.PATH ?? '',
      LC_ALL: 'C.UTF-8',
      PYTHONWARNINGS: 'ignore',
      HOME: '/nonexistent',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (line: string): Promise<[number, string, string]> => {
    child.stdin.write(`${JSON.stringify(line.split(' '))}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error(`the shells ended at ${line}`);
    return JSON.parse(value);
  };
  return {
    run: async line => {
      const [code, stdout, stderr] = await ask(line);
      if (code !== 0) throw new Error(`${line} ended with ${code}\n${stdout}\n${stderr}`);
      return stdout;
    },
    refused: async line => {
      const [code, stdout, stderr] = await ask(line);
      if (code === 0) throw new Error(`${line} was not refused\n${stdout}`);
      return (stdout + stderr).trim();
    },
    stop: () => child.kill(),
  };
}
