import { gauge, histogram, WORK_SECONDS } from '@folsom/core';

export const volumeMetrics = {
  steps: histogram(
    'folsom_volume_step_seconds',
    'Duration of the steps that the operations of nova-volume are made of (create, delete, snapshots, images).',
    ['operation', 'step', 'outcome'],
    WORK_SECONDS,
  ),
  capacity: gauge(
    'folsom_volume_capacity_bytes',
    'Room for volumes on a host: all of it (total) and what is left (free), where the driver knows.',
    ['host', 'state'],
  ),
};
