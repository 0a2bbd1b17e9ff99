import type { GoldenScenario } from '@folsom/testing';

/** Which host each instance got while nova was recorded, by name, as administrators were shown it first. */
export function recordedPlacement(scenarios: readonly GoldenScenario[]): Map<string, string> {
  const hosts = new Map<string, string>();
  for (const { exchanges } of scenarios) {
    for (const { response } of exchanges ?? []) {
      for (const server of serversIn(response.body)) {
        const host = server['OS-EXT-SRV-ATTR:host'];
        if (typeof host === 'string' && !hosts.has(server.name)) hosts.set(server.name, host);
      }
    }
  }
  return hosts;
}

interface Server {
  name: string;
  'OS-EXT-SRV-ATTR:host'?: string | null;
}

function serversIn(body: unknown): Server[] {
  if (typeof body !== 'string' || !body.includes('OS-EXT-SRV-ATTR:host"')) return [];
  try {
    const { server, servers } = JSON.parse(body) as { server?: Server; servers?: Server[] };
    return servers ?? (server ? [server] : []);
  } catch {
    return [];
  }
}
