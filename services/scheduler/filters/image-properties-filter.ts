import { everyHost, type Filter } from './filter.ts';

/** architecture, hypervisor_type and vm_mode of the image against the hypervisor's supported_instances. */
export const imagePropertiesFilter: Filter = {
  name: 'ImagePropertiesFilter',
  module: 'image_props_filter',
  concernsImage: true,
  prepare: ({ spec }) => {
    const properties = spec.image?.properties ?? {};
    const wanted = [properties.architecture, properties.hypervisor_type, properties.vm_mode].filter(Boolean);
    if (wanted.length === 0) return everyHost;
    return ({ capabilities }) => {
      const supported = capabilities.supported_instances;
      if (!Array.isArray(supported)) return false;
      return supported.some(kind => Array.isArray(kind) && wanted.every(want => kind.includes(want)));
    };
  },
};
