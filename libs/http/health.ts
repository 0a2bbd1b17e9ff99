import type { FastifyInstance } from 'fastify';

/** Resolves when the part works; rejects with the reason when it does not. */
export type HealthCheck = () => Promise<void>;

const CHECK_TIMEOUT_MS = 2_000;

/**
 * `/healthz`: the process answers. `/readyz`: every named part (database, bus, neighbours) works, each with its reason
 * when not; 503 then.
 */
export function healthRoutes(server: FastifyInstance, checks: Record<string, HealthCheck>): void {
  server.get('/healthz', { config: { name: 'healthz', public: true } }, async (_request, reply) =>
    reply.header('content-type', 'application/json').send('{"status": "ok"}'),
  );
  server.get('/readyz', { config: { name: 'readyz', public: true } }, async (_request, reply) => {
    const results = await runChecks(checks);
    const ready = Object.values(results).every(result => result === 'ok');
    return reply
      .code(ready ? 200 : 503)
      .header('content-type', 'application/json')
      .send(JSON.stringify({ status: ready ? 'ready' : 'not ready', checks: results }));
  });
}

/** Each check's `ok` or the reason it failed; one that takes too long has failed. */
export async function runChecks(checks: Record<string, HealthCheck>): Promise<Record<string, string>> {
  const entries = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      let timer: NodeJS.Timeout | undefined;
      try {
        const late = new Promise<never>((_resolve, reject) => {
          timer = setTimeout(
            () => reject(new Error(`no answer in ${CHECK_TIMEOUT_MS} ms`)),
            CHECK_TIMEOUT_MS,
          );
        });
        await Promise.race([check(), late]);
        return [name, 'ok'] as const;
      } catch (error) {
        return [name, error instanceof Error ? error.message : String(error)] as const;
      } finally {
        clearTimeout(timer);
      }
    }),
  );
  return Object.fromEntries(entries);
}
