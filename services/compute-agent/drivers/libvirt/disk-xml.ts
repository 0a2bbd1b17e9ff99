/** Disks as libvirt is told of them. */

/** A disk that qemu itself fetches over the network. */
export interface NetworkSource {
  protocol: 'iscsi';
  /** For iSCSI the target's name and the unit: `iqn.2010-10.org.openstack:volume-1/1`. */
  name: string;
  host?: { name: string; port: string };
  auth?: { username: string; type: 'iscsi'; secret: string };
  /** As which initiator. */
  initiator?: string;
}

export interface DomainDisk {
  /** A file's or block device's absolute path, or what is fetched over the network. */
  source: string | NetworkSource;
  kind: 'file' | 'block' | 'network';
  format: 'raw' | 'qcow2';
  /** `vda`, `vdb` ... */
  target: string;
  device?: 'disk' | 'cdrom';
  serial?: string;
}

export const xmlText = (text: string): string =>
  text.replace(
    /[<>&'"]/g,
    found => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', "'": '&apos;', '"': '&quot;' })[found] ?? '',
  );

export function diskXml(disk: DomainDisk): string {
  const cdrom = disk.device === 'cdrom';
  const bus = cdrom ? 'ide' : 'virtio';
  return (
    `<disk type='${disk.kind}' device='${disk.device ?? 'disk'}'>` +
    `<driver name='qemu' type='${disk.format}' cache='${cdrom ? 'writeback' : 'none'}'/>` +
    `${sourceXml(disk)}<target dev='${xmlText(disk.target)}' bus='${bus}'/>` +
    (disk.serial === undefined ? '' : `<serial>${xmlText(disk.serial.slice(0, 36))}</serial>`) +
    (cdrom ? '<readonly/>' : '') +
    '</disk>'
  );
}

function sourceXml({ source, kind }: DomainDisk): string {
  if (typeof source === 'string')
    return kind === 'file' ? `<source file='${xmlText(source)}'/>` : `<source dev='${xmlText(source)}'/>`;
  const { protocol, name, host, auth, initiator } = source;
  return (
    `<source protocol='${protocol}' name='${xmlText(name)}'>` +
    (host === undefined ? '' : `<host name='${xmlText(host.name)}' port='${xmlText(host.port)}'/>`) +
    (auth === undefined
      ? ''
      : `<auth username='${xmlText(auth.username)}'><secret type='${auth.type}' uuid='${xmlText(auth.secret)}'/></auth>`) +
    (initiator === undefined ? '' : `<initiator><iqn name='${xmlText(initiator)}'/></initiator>`) +
    '</source>'
  );
}

/** A disk of a domain that libvirt has described. */
export interface DescribedDisk {
  target: string;
  serial: string | undefined;
  xml: string;
}

export const describedDisks = (domain: string): DescribedDisk[] =>
  [...domain.matchAll(/<disk .*?<\/disk>/gs)].flatMap(([xml]) => {
    const target = /<target dev='([^']+)'/.exec(xml)?.[1];
    return target === undefined ? [] : [{ target, serial: /<serial>([^<]*)<\/serial>/.exec(xml)?.[1], xml }];
  });

/** The same disk of a domain, its bytes fetched from elsewhere: address and name of a device never change with its host. */
export function withSourceOf(disk: string, other: string): string {
  const type = /<disk type='\w+'/.exec(other)?.[0];
  const source = SOURCE.exec(other)?.[0];
  if (type === undefined || source === undefined) return disk;
  return disk.replace(/<disk type='\w+'/, () => type).replace(SOURCE, () => source);
}
const SOURCE = /<source\b[^>]*?(?:\/>|>.*?<\/source>)/s;
