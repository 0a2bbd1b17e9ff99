// `node healthy.mjs PORT`: exit code 0 when the service on that port says it is ready.
const response = await fetch(`http://127.0.0.1:${Number(process.argv[2])}/readyz`, {
  signal: AbortSignal.timeout(3_000),
}).catch(() => undefined);
process.exit(response?.ok ? 0 : 1);
