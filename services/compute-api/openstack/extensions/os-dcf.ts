import { attribute, type Parts } from '@folsom/wire/view';
import Type from 'typebox';
import { boolFromString } from '../../domain/values.ts';
import type { Api, CreatedInstance, Extension } from '../http/api.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { truth } from '../http/shapes.ts';

const KEY = 'OS-DCF:diskConfig';
const word = (auto: boolean): string => (auto ? 'AUTO' : 'MANUAL');

const shown: Parts<[CreatedInstance, Api]> = {
  [KEY]: attribute(instance => word(instance.auto_disk_config === true)),
};

/** In either spelling. */
const shape = {
  [KEY]: Type.Optional(
    Type.Union([Type.Literal('AUTO'), Type.Literal('MANUAL')], {
      says: "OS-DCF:diskConfig must be either 'MANUAL' or 'AUTO'.",
    }),
  ),
  auto_disk_config: Type.Optional(truth()),
};

interface Asked {
  [KEY]?: 'AUTO' | 'MANUAL';
  auto_disk_config?: boolean;
}

/** Undefined where neither is there. */
const autoOf = (asked: Asked): boolean | undefined =>
  asked[KEY] === undefined ? asked.auto_disk_config : asked[KEY] === 'AUTO';

export const extension: Extension = {
  alias: 'OS-DCF',
  name: 'DiskConfig',
  namespace: 'http://docs.openstack.org/compute/ext/disk_config/api/v1.1',
  updated: '2011-09-27T00:00:00+00:00',
  description: 'Disk Management Extension',
  attributes: serverAttributes({
    shape,
    readBoot: server => ({ autoDiskConfig: autoOf(server) ?? null }),
    changeShape: shape,
    readChanges: (body: Asked) => {
      const auto_disk_config = autoOf(body);
      return auto_disk_config === undefined ? {} : { auto_disk_config };
    },
    readXml: ({ attributes }) => {
      const disk = attributes.diskConfig ?? attributes.auto_disk_config;
      if (!disk) return {};
      return /^(AUTO|MANUAL)$/.test(disk) ? { [KEY]: disk } : { auto_disk_config: disk };
    },
  }),
  seenBy: caller => caller.api.domain.policy.allowed(caller, 'compute_extension:disk_config'),
  server: shown,
  serverCreated: shown,
  image: {
    [KEY]: attribute(({ properties: { auto_disk_config: value } }) =>
      value === undefined ? undefined : word(boolFromString(value)),
    ),
  },
};
