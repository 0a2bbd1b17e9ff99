import { catalogue } from '@folsom/core';

/** Faults only the scheduler throws; the others are nova's shared ones. */
export const schedulerFault = catalogue(
  {
    SchedulerHostFilterNotFound: {
      status: 500,
      text: 'Scheduler Host Filter %(filter_name)s could not be found.',
    },
    SchedulerCostFunctionNotFound: {
      status: 500,
      text: 'Scheduler cost function %(cost_fn_str)s could not be found.',
    },
    ClassNotFound: { status: 500, text: 'Class %(class_name)s could not be found: %(exception)s' },
    WillNotSchedule: { status: 500, text: 'Host %(host)s is not up or does not exist.' },
    DestinationHypervisorTooOld: {
      status: 400,
      text: 'The instance requires a newer hypervisor version than has been provided.',
    },
    MigrationError: { status: 500, text: 'Migration error: %(reason)s' },
  },
  { module: 'nova.exception' },
);
