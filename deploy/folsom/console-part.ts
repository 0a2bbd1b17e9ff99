import { configFrom } from '@folsom/config';
import { consoleWebOptions, startConsoleWeb } from '@folsom/console-web';
import type { RunningService } from '@folsom/core';
import { searchLog } from './log-search.ts';
import { metricsHistory } from './metrics-history.ts';
import type { PartOptions } from './part.ts';
import { requestSteps } from './trace.ts';

/** The web console of this cloud; it also draws what `folsom trace` prints, finds what `folsom logs` does, and plots metrics. */
export async function startConsolePart(options: PartOptions): Promise<RunningService> {
  const { layout, ports, hostIp, world } = options;
  const config = configFrom([consoleWebOptions], {
    DEFAULT: {
      auth_url: `http://${hostIp}:${ports.identityPublic}/v2.0`,
      bind_host: hostIp,
      bind_port: ports.consoleWeb,
    },
  });
  const history = metricsHistory(options.metrics, world.clock);
  const console = await startConsoleWeb({
    config,
    world,
    trace: { request: (requestId, tenant) => requestSteps(layout.log, requestId, tenant) },
    logs: { search: (query, signal) => searchLog(layout.log, query, signal) },
    metrics: { view: history.view },
  }).catch(error => {
    history.stop();
    throw error;
  });
  return {
    ...console,
    stop: async () => {
      history.stop();
      await console.stop();
    },
  };
}
