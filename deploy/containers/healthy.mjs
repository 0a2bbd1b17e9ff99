// `node healthy.mjs PORT [PATH]`: exit code 0 when the service on that port says it is ready.
const [port, path = '/readyz'] = process.argv.slice(2);
const response = await fetch(`http://127.0.0.1:${Number(port)}${path}`, {
  signal: AbortSignal.timeout(3_000),
}).catch(() => undefined);
process.exit(response?.ok ? 0 : 1);
