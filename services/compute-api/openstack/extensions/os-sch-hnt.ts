import { must } from '@folsom/core';
import type { XmlElement } from '@folsom/wire';
import Type from 'typebox';
import type { Extension, JsonObject } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/scheduler-hints/api/v2';
const KEY = 'OS-SCH-HNT:scheduler_hints';
const OLD_KEY = 'os:scheduler_hints';

const HINT_BYTES_MAX = 8 * 1024;

const hints = Type.Optional(
  readBy((value): JsonObject | null => {
    if (value == null) return null;
    if (!isObject(value) || JSON.stringify(value).length > HINT_BYTES_MAX) throw badRequest();
    return value;
  }, 'What the filters of the scheduler are told.'),
);

function readXml(node: XmlElement): JsonObject {
  const element = node.children.find(item => item.name === 'scheduler_hints' && item.namespace === NAMESPACE);
  if (!element || element.children.length === 0) return {};
  const read: Record<string, string[]> = {};
  for (const item of element.children) {
    read[item.name] ??= [];
    must(read[item.name], 'item.name is in read').push(item.text.trim());
  }
  return { [KEY]: read };
}

/** Lets a boot carry hints: beside the server in JSON and inside it in XML. */
export const extension: Extension = {
  alias: 'OS-SCH-HNT',
  name: 'SchedulerHints',
  namespace: NAMESPACE,
  updated: '2011-07-19T00:00:00+00:00',
  description: 'Pass arbitrary key/value pairs to the scheduler',
  attributes: serverAttributes({
    shape: { [KEY]: hints },
    beside: { [KEY]: hints, [OLD_KEY]: hints },
    readBoot: (server, beside) => ({
      schedulerHints: server[KEY] ?? beside[KEY] ?? beside[OLD_KEY] ?? {},
    }),
    readXml,
  }),
};
