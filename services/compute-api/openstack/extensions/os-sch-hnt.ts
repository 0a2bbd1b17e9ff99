import type { Extension } from '../http/extension.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/scheduler-hints/api/v2';

/** Lets a boot carry hints; read by the server resource when loaded. */
export const extension: Extension = {
  alias: 'OS-SCH-HNT',
  name: 'SchedulerHints',
  namespace: NAMESPACE,
  updated: '2011-07-19T00:00:00+00:00',
  description: 'Pass arbitrary key/value pairs to the scheduler',
};
