import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { trace } from './trace.ts';

const dir = mkdtempSync(join(tmpdir(), 'folsom-trace-'));
afterAll(() => rmSync(dir, { recursive: true }));

it("prints a request's way through the services in the order in which the work began", async () => {
  const requestId = 'req-11111111-1111-4111-8111-111111111111';
  const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
  const line = (entry: object) => `${JSON.stringify({ level: 'debug', requestId, ...entry })}\n`;
  const bus = (rpc: string, topic: string, method: string, ms: number) => ({
    rpc,
    topic,
    method,
    ms,
    message: `rpc ${rpc} ${topic} ${method}`,
  });
  const file = join(dir, 'folsom.log');
  writeFileSync(
    file,
    line({ time: at(5), ...bus('cast', 'scheduler', 'run_instance', 0.01) }) +
      line({
        time: at(40),
        service: 'nova-compute',
        message: 'step done',
        operation: 'boot',
        step: 'spawn',
        ms: 20,
      }) +
      line({
        time: at(8),
        level: 'info',
        service: 'nova-api-os-compute',
        message: 'request',
        method: 'POST',
        path: '/v2/t/servers',
        status: 202,
        ms: 8,
      }) +
      line({ time: at(9), ...bus('handle', 'scheduler', 'run_instance', 3) }) +
      line({ time: at(41), level: 'warn', service: 'nova-compute', message: 'slow disk', seconds: 2 }) +
      line({
        time: at(45),
        service: 'swift-container-server',
        requestId: undefined,
        requestIds: `req-1 ${requestId} req-3`,
        message: 'updates',
        count: 3,
        ms: 1,
      }) +
      line({
        time: at(50),
        requestId: 'req-22222222-1111-4111-8111-111111111111',
        message: `about ${requestId}`,
      }) +
      'not JSON, though it names req-11111111-1111-4111-8111-111111111111\n',
  );
  expect(await trace(file, requestId)).toEqual([
    '    AT  SERVICE                   TOOK  WHAT',
    ' +0 ms  nova-api-os-compute     8.0 ms  POST /v2/t/servers -> 202',
    ' +5 ms                          0.0 ms  tells scheduler: run_instance',
    ' +6 ms  nova-scheduler          3.0 ms  run_instance',
    '+20 ms  nova-compute             20 ms  boot: spawn',
    '+41 ms  nova-compute                    WARN slow disk seconds=2',
    '+44 ms  swift-container-server  1.0 ms  updates count=3',
  ]);
  expect(await trace(file, 'req-x')).toEqual([]);
});
