export { type FixedIpQuota, noFixedIpQuota, type QuotaReservation } from './addresses.ts';
export {
  type NetworkServiceOptions,
  type RunningNetwork,
  removeNetworkFromHost,
  startNetwork,
} from './network.ts';
