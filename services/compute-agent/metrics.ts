import { gauge, histogram, WORK_SECONDS } from '@folsom/core';

export const computeMetrics = {
  operations: histogram(
    'folsom_compute_operation_seconds',
    'Duration of operations of nova-compute (boot, deletion, resize …); outcome is ok, failed, or again for one that is tried again.',
    ['operation', 'outcome'],
    WORK_SECONDS,
  ),
  steps: histogram(
    'folsom_compute_step_seconds',
    'Duration of the steps that operations are made of.',
    ['operation', 'step', 'outcome'],
    WORK_SECONDS,
  ),
  instances: gauge('folsom_compute_instances', 'Instances that a host has.', ['host']),
  memory: gauge(
    'folsom_compute_memory_bytes',
    'Memory of a host: all of it (total), and what is promised (used).',
    ['host', 'state'],
  ),
  disk: gauge(
    'folsom_compute_disk_bytes',
    'Disk of a host: all of it (total), and what is promised (used).',
    ['host', 'state'],
  ),
  cpus: gauge('folsom_compute_vcpus', 'Processors of a host: all (total), and those promised (used).', [
    'host',
    'state',
  ]),
};
