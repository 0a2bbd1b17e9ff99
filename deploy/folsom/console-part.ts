import { configFrom } from '@folsom/config';
import { consoleWebOptions, startConsoleWeb } from '@folsom/console-web';
import type { RunningService } from '@folsom/core';
import type { PartOptions } from './part.ts';
import { requestSteps } from './trace.ts';

/** The web console of this cloud; it also draws what `folsom trace` prints. */
export function startConsolePart(options: PartOptions): Promise<RunningService> {
  const { layout, ports, hostIp, world } = options;
  const config = configFrom([consoleWebOptions], {
    DEFAULT: {
      auth_url: `http://${hostIp}:${ports.identityPublic}/v2.0`,
      bind_host: hostIp,
      bind_port: ports.consoleWeb,
    },
  });
  const trace = {
    request: (requestId: string, tenant: string | null) => requestSteps(layout.log, requestId, tenant),
  };
  return startConsoleWeb({ config, world, trace });
}
