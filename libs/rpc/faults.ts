import { catalogue } from '@folsom/core';

/** Python module under which Folsom raises the bus's own exceptions. */
export const RPC_MODULE = 'nova.openstack.common.rpc.common';

/** What the bus itself may answer; anything else a caller sees comes from the other side's handler. */
export const rpcFault = catalogue(
  {
    RpcTimeout: { status: 500, text: 'Timeout while waiting on RPC response.' },
    RemoteError: { status: 500, text: 'Remote error: %(exc_type)s %(value)s' },
    UnsupportedRpcVersion: {
      status: 500,
      text: 'Specified RPC version, %(version)s, not supported by this endpoint.',
    },
    RpcClosed: { status: 503, text: 'The message bus is closed.' },
    RpcUnavailable: { status: 503, text: 'The message bus at %(address)s cannot be reached.' },
    RpcMessageTooLarge: {
      status: 500,
      text: 'An RPC message of %(bytes)s bytes exceeds the limit of %(limit)s.',
    },
  },
  { module: RPC_MODULE },
);
