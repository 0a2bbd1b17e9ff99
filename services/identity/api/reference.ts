import type { ReferencePart } from '@folsom/http/operation';
import { statusOf } from '../faults.ts';
import { identityOperations } from './operations.ts';
import { rootOperations } from './versions.ts';

/** What the identity API offers, for the reference page. */
export const identityReference: readonly ReferencePart[] = [
  {
    title: 'Identity',
    about:
      'keystone: a public port (5000) and an admin port (35357) with more on it. JSON and XML. `admin_required` is a rule of ' +
      'policy.json or the bootstrap token; `self_or_admin` the user of the path or an administrator.',
    prefix: '',
    operations: rootOperations,
    statusOf,
  },
  {
    title: 'Identity, version 2.0',
    about: 'Operations stand on both ports where no port is named.',
    prefix: '/v2.0',
    operations: identityOperations,
    statusOf,
  },
];
