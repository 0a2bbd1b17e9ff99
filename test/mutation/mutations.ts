/** One way to break the code, and the test that must notice. */
export interface Mutation {
  name: string;
  file: string;
  /** Stands once in the file. */
  from: string;
  to: string;
  test: string;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'a fixed IP that is taken is taken again',
    file: 'libs/nova/fixed-ips.ts',
    from: ".where({ id })\n    .whereNull('instance_uuid')\n    .whereNull('host')",
    to: '.where({ id })',
    test: 'test/faults/addresses.test.ts',
  },
  {
    name: 'a task state of null passes every condition',
    file: 'libs/nova/instances.ts',
    from: "if (states.includes(null)) where.orWhereNull('task_state');",
    to: "where.orWhereNull('task_state');",
    test: 'test/faults/addresses.test.ts',
  },
  {
    name: 'what was interrupted here is undone although another host has it',
    file: 'services/compute-agent/operations/operation.ts',
    from: 'if (!unchanged(found.guest, listed) || found.guest.host !== seam.host) return;',
    to: 'if (!unchanged(found.guest, listed)) return;',
    test: 'test/faults/compute-moving.test.ts',
  },
  {
    name: 'a range suffix as long as the object cannot be had',
    file: 'libs/swift/byte-range.ts',
    from: '-start > size',
    to: '-start >= size',
    test: 'libs/swift/byte-range.test.ts',
  },
  {
    name: 'half of the answers is a majority',
    file: 'services/object-proxy/backend-write.ts',
    from: 'inClass.length * 2 > answers.length',
    to: 'inClass.length * 2 >= answers.length',
    test: 'services/object-proxy/node-errors.test.ts',
  },
  {
    name: 'handoffs start with the same device for every partition',
    file: 'libs/ring/ring.ts',
    from: 'left.splice(partition % left.length, 1)',
    to: 'left.splice(0, 1)',
    test: 'libs/ring/ring.test.ts',
  },
  {
    name: 'handoffs lie on hosts that hold a replica already',
    file: 'libs/ring/ring.ts',
    from: 'if (used.has(tier.key)) continue;',
    to: '',
    test: 'libs/ring/ring.test.ts',
  },
  {
    name: 'a node that fails all the time is asked all the same',
    file: 'services/object-proxy/nodes.ts',
    from: '    if (core.errors.limited(node)) continue;\n    handoffs++;',
    to: '    handoffs++;',
    test: 'services/object-proxy/node-errors.test.ts',
  },
  {
    name: "another tenant's account is open",
    file: 'services/object-proxy/middleware/keystoneauth.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: text of the file
    from: 'if (!tenantId || account !== `${prefix}${tenantId}`) return denied(request);',
    to: '',
    test: 'services/object-proxy/middleware/keystoneauth.test.ts',
  },
  {
    name: 'a listing needs no .rlistings',
    file: 'services/object-proxy/middleware/keystoneauth.ts',
    from: "return Boolean(object) || groups.includes('.rlistings');",
    to: 'return true;',
    test: 'services/object-proxy/middleware/keystoneauth.test.ts',
  },
  {
    name: 'a signed token lives a millisecond longer',
    file: 'libs/auth/offline-validator.ts',
    from: 'token.expiresAt <= clock.now()',
    to: 'token.expiresAt < clock.now()',
    test: 'libs/auth/offline-validator.test.ts',
  },
  {
    name: 'a remembered token lives a millisecond longer',
    file: 'libs/auth/online-validator.ts',
    from: 'info.expiresAt <= clock.now()',
    to: 'info.expiresAt < clock.now()',
    test: 'libs/auth/offline-validator.test.ts',
  },
];
