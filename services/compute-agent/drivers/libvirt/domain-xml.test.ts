import { describe, expect, it } from 'vitest';
import type { DomainDisk } from './disk-xml.ts';
import { type DomainDescription, domainXml, vncPort } from './domain-xml.ts';

const domain = (disks: DomainDisk[], more: Partial<DomainDescription> = {}): string =>
  domainXml({
    guest: { uuid: 'u-1', name: 'instance-00000001', memory_mb: 128, vcpus: 1 } as DomainDescription['guest'],
    type: 'qemu',
    disks,
    network: [],
    filters: null,
    consoleLog: '/guests/a & b/console.log',
    vnc: null,
    asRoot: false,
    cpuMode: null,
    cpuModel: null,
    ...more,
  });
const disk: DomainDisk = { source: '/guests/disk', kind: 'file', format: 'qcow2', target: 'vda' };

describe('a domain', () => {
  it('boots from its disk, which is a virtio one', () => {
    const xml = domain([disk]);
    expect(xml).toContain("<boot dev='hd'/>");
    expect(xml).toContain("<target dev='vda' bus='virtio'/>");
    expect(xml).not.toContain('<readonly/>');
  });

  it('boots from a CD that is its first disk: read-only, on the IDE bus', () => {
    const xml = domain([{ ...disk, target: 'hda', device: 'cdrom' }]);
    expect(xml).toContain("<boot dev='cdrom'/>");
    expect(xml).toContain("<disk type='file' device='cdrom'>");
    expect(xml).toContain("<target dev='hda' bus='ide'/>");
    expect(xml).toContain('<readonly/>');
  });

  it('has the kernel of its image started, where that comes in parts', () => {
    const kernel = { kernel: '/guests/kernel', ramdisk: null, commandLine: 'root=/dev/vda' };
    const xml = domain([disk], { kernel });
    expect(xml).toContain('<kernel>/guests/kernel</kernel><cmdline>root=/dev/vda</cmdline>');
    expect(xml).not.toContain('<boot dev');
  });

  it('speaks with the addresses of its cards alone', () => {
    const ip = (address: string, version: number) => ({
      address,
      version,
      type: 'fixed',
      meta: {},
      floating_ips: [],
    });
    const subnet = { cidr: null, dns: [], gateway: null, routes: [], meta: {} };
    const subnets = [
      { ...subnet, version: 4, ips: [ip('10.0.0.2', 4)], meta: { dhcp_server: '10.0.0.1' } },
      { ...subnet, version: 6, ips: [ip('fd00::f816:3eff:fe00:1', 6)] },
    ];
    const model = { id: 'n', bridge: 'br100', label: 'x', subnets, meta: { tenant_id: null } };
    const network = [{ id: 'v', address: 'fa:16:3e:00:00:01', network: model, meta: {} }];
    const reference = (filters: DomainDescription['filters']) =>
      /<filterref.*<\/filterref>/.exec(domain([disk], { network, filters }))?.[0];
    const v4 = "<parameter name='IP' value='10.0.0.2'/><parameter name='DHCPSERVER' value='10.0.0.1'/>";
    expect(reference(null)).toBeUndefined();
    expect(reference({ ipv6: false })).toBe(`<filterref filter='nova-base'>${v4}</filterref>`);
    expect(reference({ ipv6: true })).toBe(
      `<filterref filter='nova-base-ipv6'>${v4}` +
        "<parameter name='IPV6' value='fd00::f816:3eff:fe00:1'/>" +
        "<parameter name='LINKLOCAL' value='fe80::f816:3eff:fe00:1'/></filterref>",
    );
  });

  it('cannot be given elements by a path', () => {
    expect(domain([disk])).toContain('/guests/a &amp; b/console.log');
  });

  it('tells the port of its screen only while there is one', () => {
    expect(vncPort("<graphics type='vnc' port='5901' autoport='yes'/>")).toBe(5901);
    expect(vncPort("<graphics type='vnc' port='-1' autoport='yes'/>")).toBeUndefined();
  });
});
