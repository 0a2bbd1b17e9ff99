export { type AddressQuota, noAddressQuota, type QuotaReservation } from './addresses.ts';
export {
  type NetworkServiceOptions,
  type RunningNetwork,
  removeNetworkFromHost,
  startNetwork,
} from './network.ts';
