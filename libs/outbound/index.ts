export { type AddressRule, addressRule, anyAddress } from './addresses.ts';
export {
  type Door,
  type DoorAnswer,
  type DoorLimits,
  type DoorRequest,
  operatorDoor,
  type Resolved,
  type UserDoorOptions,
  userDoor,
} from './door.ts';
export { OutboundFailed, OutboundRefused, type RefusedReason } from './refused.ts';
