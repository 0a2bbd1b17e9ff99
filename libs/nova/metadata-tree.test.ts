import { describe, expect, it } from 'vitest';
import { find, LISTED_AS, print, pythonJson, type Tree } from './metadata-tree.ts';

const tree: Tree = {
  'ami-id': 'ami-1',
  'public-keys': { 0: { [LISTED_AS]: '0=mine', 'openssh-key': 'ssh-rsa A' } },
  placement: { 'availability-zone': 'nova' },
  'security-groups': ['default', 'web'],
};

describe('documents for guests', () => {
  it('are listed as folders, texts and lists', () => {
    expect(print(tree)).toBe('ami-id\nplacement/\npublic-keys/\nsecurity-groups');
    expect(print(find(tree, ['public-keys'])!)).toBe('0=mine');
    expect(print(find(tree, ['public-keys', '0', 'openssh-key'])!)).toBe('ssh-rsa A');
    expect(print(find(tree, ['security-groups'])!)).toBe('default\nweb');
    expect(find(tree, [])).toBe(tree);
  });

  it.each([
    [['nothing']],
    [['ami-id', 'below']],
    [['security-groups', '0']],
    [['security-groups', 'length']],
    [['public-keys', '0', LISTED_AS]],
    [['__proto__']],
    [['constructor', 'name']],
    [['placement', 'toString']],
  ])('have nothing at %j', path => expect(find(tree, path)).toBeUndefined());

  it('have JSON as Python writes it', () => {
    expect(pythonJson({ a: [1, true, null, 'é"\u2028'], b: {} })).toBe(
      '{"a": [1, true, null, "\\u00e9\\"\\u2028"], "b": {}}',
    );
  });
});
