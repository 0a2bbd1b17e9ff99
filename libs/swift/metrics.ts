import { counter, gauge, histogram } from '@folsom/core';

export const swiftMetrics = {
  requests: histogram(
    'folsom_swift_request_seconds',
    'Duration of requests to the object store, by server, operation (of the proxy with its kind) and status.',
    ['server', 'operation', 'status'],
  ),
  bytes: counter('folsom_swift_bytes_total', 'Bytes of bodies that the proxy received (in) and sent (out).', [
    'direction',
  ]),
  device: gauge(
    'folsom_swift_device_bytes',
    'Devices of a storage node: their size and what is free on them.',
    ['device', 'state'],
  ),
  unmounted: gauge('folsom_swift_unmounted_devices', 'Devices of a storage node that are not mounted.', []),
  quarantined: gauge('folsom_swift_quarantined', 'What auditors found damaged and put aside, by kind.', [
    'kind',
  ]),
  pending: gauge(
    'folsom_swift_async_pending',
    'Updates of containers that storage nodes could not deliver yet, as the updater last counted.',
    [],
  ),
  pass: gauge(
    'folsom_swift_pass_seconds',
    'How long the last pass of a daemon took: replication, updater sweep, audit.',
    ['server', 'daemon'],
  ),
  expired: gauge('folsom_swift_expired_last_pass', 'Objects that the expirer deleted in its last pass.', []),
};
