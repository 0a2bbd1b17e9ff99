import { counter, histogram } from '@folsom/core';

export const schedulerMetrics = {
  decisions: histogram(
    'folsom_scheduler_decision_seconds',
    'Duration of choosing hosts; outcome is placed, or refused where no host was left for one of the instances.',
    ['outcome'],
  ),
  removed: counter(
    'folsom_scheduler_hosts_removed_total',
    'Hosts that a filter took out of a choice; hosts that were not looked at, since a cheaper one passed, do not count.',
    ['filter'],
  ),
  refused: counter(
    'folsom_scheduler_refused_total',
    'Choices that ended without a host, by the filter that took the last one; (no hosts) where none has reported.',
    ['filter'],
  ),
};
