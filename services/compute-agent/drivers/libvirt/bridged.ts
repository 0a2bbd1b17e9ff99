import type { NetworkInfo, NetworkModel } from '@folsom/nova/network-info';

/** Networks whose bridge the host of each guest makes for itself: nobody else serves them there (multi_host ones have nova-network). */
export const bridgedHere = (network: NetworkInfo): (NetworkModel & { bridge: string })[] =>
  network.flatMap(({ network: model }) =>
    model?.bridge && model.meta.should_create_bridge && !model.meta.multi_host
      ? [{ ...model, bridge: model.bridge }]
      : [],
  );
