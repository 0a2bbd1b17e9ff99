import type { Extension } from '../../http/api.ts';
import { unprocessable } from '../../http/faults.ts';
import { bare } from '../../http/operation.ts';
import { typeSpecOperations } from '../../volumes/type-specs.ts';

const path = '/types/:type/extra_specs';

export const extension: Extension = {
  alias: 'os-types-extra-specs',
  name: 'TypesExtraSpecs',
  namespace: 'http://docs.openstack.org/volume/ext/types-extra-specs/api/v1',
  updated: '2011-08-24T00:00:00+00:00',
  description: 'Types extra specs support',
  resources: [path],
  operations: typeSpecOperations({
    name: 'Type',
    path,
    policy: 'volume_extension:types_extra_specs',
    noBody: () => unprocessable(),
    lenient: false,
    deleted: { status: 202, answer: () => bare() },
  }),
};
