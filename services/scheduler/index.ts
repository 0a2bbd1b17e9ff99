export { schedulerOptions, trustOptions } from './options.ts';
export { type SchedulerServiceOptions, startScheduler } from './scheduler.ts';
