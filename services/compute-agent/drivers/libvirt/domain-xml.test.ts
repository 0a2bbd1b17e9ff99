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
    virtioCards: true,
    tablet: true,
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
    const boot = (type: 'kvm' | 'qemu', ramdisk: string | null, root_device_name: string | null = null) => {
      const guest = { uuid: 'u-1', name: 'one', memory_mb: 128, vcpus: 1, root_device_name };
      const kernel = { kernel: '/guests/kernel', ramdisk };
      const xml = domain([disk], { kernel, type, guest: guest as DomainDescription['guest'] });
      expect(xml).not.toContain('<boot dev');
      return /<kernel>.*<\/cmdline>/.exec(xml)?.[0];
    };
    const kernel = '<kernel>/guests/kernel</kernel>';
    const folsoms = '<cmdline>root=/dev/vda console=ttyS0</cmdline>';
    expect(boot('kvm', null)).toBe(kernel + folsoms);
    expect(boot('kvm', '/guests/ramdisk')).toBe(`${kernel}<initrd>/guests/ramdisk</initrd>${folsoms}`);
    expect(boot('kvm', null, '/dev/vdb1')).toBe(`${kernel}<cmdline>root=/dev/vdb1 console=ttyS0</cmdline>`);
    // A virtio disk is never called so.
    expect(boot('kvm', null, '/dev/sda1')).toBe(kernel + folsoms);
    expect(boot('kvm', null, "/dev/vda' init=/bin/sh")).toBe(kernel + folsoms);
    expect(boot('qemu', null)).toContain('console=ttyS0 no_timer_check tsc=unstable</cmdline>');
  });

  it('has the cards and the pointer that are asked for', () => {
    const model = { id: 'n', bridge: 'br100', label: 'x', subnets: [], meta: { tenant_id: null } };
    const network = [{ id: 'v', address: 'fa:16:3e:00:00:01', network: model, meta: {} }];
    const card = (virtioCards: boolean) =>
      /<interface.*<\/interface>/.exec(domain([disk], { network, virtioCards }))?.[0];
    expect(card(true)).toContain("<source bridge='br100'/><model type='virtio'/></interface>");
    expect(card(false)).toContain("<source bridge='br100'/></interface>");
    const vnc = { listen: '127.0.0.1', keymap: 'en-us' };
    const pointer = "<input type='tablet' bus='usb'/>";
    expect(domain([disk], { vnc })).toContain(pointer);
    expect(domain([disk], { vnc, tablet: false })).not.toContain(pointer);
    expect(domain([disk], { vnc: null })).not.toContain(pointer);
  });

  it('writes its first serial line into a file and leaves the second to whoever comes', () => {
    expect(domain([disk])).toMatch(
      /<serial type='file'><source path='[^']*console\.log'\/><\/serial>\s*<serial type='pty'\/>/,
    );
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
