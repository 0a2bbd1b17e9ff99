import type { Ring, RingDevice } from '@folsom/ring';
import { type PathHash, storageDirectory } from '@folsom/swift';
import { quotePath } from '@folsom/swift-http';

export const GET_NODES_USAGE = [
  'Usage: swift-get-nodes [-a] <ring.gz> <account> [<container>] [<object>]',
  'Shows the nodes responsible for the item specified.',
  'Example:',
  '    $ swift-get-nodes /etc/swift/account.ring.gz MyAccount',
  '    Partition 5743883',
  '    Hash 96ae332a60b58910784e4417a03e1ad0',
  '    10.1.1.7:8000 sdd1',
  '    10.1.9.2:8000 sdb1',
  '    10.1.5.5:8000 sdf1',
  '    10.1.5.9:8000 sdt1 # [Handoff]',
  '',
].join('\n');

/** The text of swift-get-nodes: where an account, container or object lives, and how to look at it there. */
export function nodesReport(
  ring: Ring,
  pathHash: PathHash,
  [account, container, object]: readonly [string, string?, string?],
  all: boolean,
): string {
  const hash = pathHash.hex(account, container, object);
  const partition = ring.partition(pathHash.prefix(account, container, object));
  const kind = object !== undefined ? 'objects' : container !== undefined ? 'containers' : 'accounts';
  const target = quotePath([account, container, object].filter(part => part !== undefined).join('/'));
  const primaries = ring.nodes(partition);
  const handoffs: RingDevice[] = [];
  for (const node of ring.handoffs(partition)) {
    handoffs.push(node);
    if (!all && handoffs.length >= ring.replicaCount) break;
  }
  const each = (line: (node: RingDevice) => string, mark: string) => [
    ...primaries.map(node => line(node)),
    ...handoffs.map(node => `${line(node)}${mark}`),
  ];
  return [
    '',
    `Account \t${account}`,
    `Container\t${container ?? 'None'}`,
    `Object   \t${object ?? 'None'}`,
    '',
    '',
    `Partition\t${partition}`,
    `Hash       \t${hash}`,
    '',
    ...each(node => `Server:Port Device\t${node.ip}:${node.port} ${node.device}`, '\t [Handoff]'),
    '\n',
    ...each(
      node => `curl -I -XHEAD "http://${node.ip}:${node.port}/${node.device}/${partition}/${target}"`,
      ' # [Handoff]',
    ),
    '\n',
    ...each(
      node => `ssh ${node.ip} "ls -lah /srv/node/${node.device}/${storageDirectory(kind, partition, hash)}/"`,
      ' # [Handoff]',
    ),
    '',
  ].join('\n');
}
