import { float, int, list, multi, str } from '@folsom/config';

/** nova-scheduler. */
export const scheduler = {
  scheduler_driver: str('nova.scheduler.multi.MultiScheduler', 'Scheduler'),
  compute_scheduler_driver: str(
    'nova.scheduler.filter_scheduler.FilterScheduler',
    'Scheduler of instances under MultiScheduler',
  ),
  volume_scheduler_driver: str(
    'nova.scheduler.chance.ChanceScheduler',
    'Scheduler of volumes under MultiScheduler',
  ),
  scheduler_available_filters: multi(['nova.scheduler.filters.standard_filters'], 'Filters that may be used'),
  scheduler_default_filters: list(
    [
      'RetryFilter',
      'AvailabilityZoneFilter',
      'RamFilter',
      'ComputeFilter',
      'ComputeCapabilitiesFilter',
      'ImagePropertiesFilter',
    ],
    'Filters in use',
  ),
  least_cost_functions: list(['nova.scheduler.least_cost.compute_fill_first_cost_fn'], 'Cost functions'),
  noop_cost_fn_weight: float(1, 'Weight of the constant cost'),
  compute_fill_first_cost_fn_weight: float(-1, 'Weight of free memory; negative spreads'),
  scheduler_max_attempts: int(3, 'Hosts tried for a boot'),
  scheduler_json_config_location: str('', 'File of scheduler options'),
  isolated_images: list([], 'Images of isolated hosts'),
  isolated_hosts: list([], 'Hosts of isolated images'),
};
