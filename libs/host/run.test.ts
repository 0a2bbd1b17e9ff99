import { expect, it } from 'vitest';
import { run } from './run.ts';

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    error => error,
  );

it('gives back output and exit code, and hands over input', async () => {
  expect(await run(['cat'], { timeoutMs: 30_000, input: 'hello' })).toEqual({
    code: 0,
    stdout: 'hello',
    stderr: '',
  });
});

it('passes arguments untouched by any shell', async () => {
  const odd = '$(id) `id` ; * "x"';
  expect((await run(['printf', '%s', odd], { timeoutMs: 30_000 })).stdout).toBe(odd);
});

it('73: CVE-2014-7230: fails clearly on an exit code that is not allowed and hides secrets', async () => {
  const error = await failure(run(['ls', '/no/such/MARK'], { timeoutMs: 30_000, secrets: ['MARK'] }));
  expect(error).toMatchObject({ name: 'ProcessExecutionError', values: { exit_code: 2 } });
  expect(JSON.stringify([error.message, error.values])).not.toContain('MARK');
  expect((await run(['false'], { timeoutMs: 30_000, allowedCodes: [1] })).code).toBe(1);
});

it('fails clearly when the program does not exist', async () => {
  expect(await failure(run(['/no/such/program'], { timeoutMs: 30_000 }))).toMatchObject({
    name: 'ProcessExecutionError',
  });
});

it('kills what takes too long or writes too much', async () => {
  expect((await failure(run(['sleep', '30'], { timeoutMs: 50 }))).message).toContain('longer than 50 ms');
  const much = run(['head', '-c', '1000000', '/dev/zero'], { timeoutMs: 30_000, maxOutputBytes: 1000 });
  expect((await failure(much)).message).toContain('more than 1000 bytes');
});

it('holds a program to its memory and processor time', async () => {
  const memory = run(['python3', '-c', 'x = bytearray(400_000_000)'], {
    timeoutMs: 30_000,
    memoryBytes: 200_000_000,
  });
  expect(await failure(memory)).toMatchObject({ name: 'ProcessExecutionError' });
  const cpu = run(['python3', '-c', 'while True: pass'], { timeoutMs: 20_000, cpuSeconds: 1 });
  expect((await failure(cpu)).message).toMatch(/Killed by SIG(XCPU|KILL)/);
});

it('leaves a program of many threads its address space for what it uses', async () => {
  const program = [
    'import threading',
    'threading.stack_size(8 * 1024 * 1024)',
    'gate = threading.Barrier(65)',
    'def work():',
    '    kept = [bytearray(100_000) for _ in range(4)]',
    '    gate.wait()',
    'threads = [threading.Thread(target=work, daemon=True) for _ in range(64)]',
    'for thread in threads: thread.start()',
    'gate.wait()',
    "print('all')",
  ].join('\n');
  const done = await run(['python3', '-c', program], { timeoutMs: 30_000, memoryBytes: 1024 ** 3 });
  expect(done.stdout).toBe('all\n');
});

it('inherits nothing from our environment', async () => {
  const { stdout } = await run(['env'], { timeoutMs: 30_000 });
  expect(
    stdout
      .split('\n')
      .filter(Boolean)
      .sort()
      .map(line => line.split('=')[0]),
  ).toEqual(['HOME', 'LC_ALL', 'PATH']);
});
