export type { AddressQuota, QuotaReservation } from './addresses.ts';
export {
  type NetworkServiceOptions,
  type RunningNetwork,
  startNetwork,
} from './network.ts';
