import type { NetworkInfo } from '@folsom/nova/network-info';
import type { Guest } from '../../driver.ts';
import { filterReference } from './base-filters.ts';
import { type DomainDisk, diskXml, xmlText } from './disk-xml.ts';

export interface DomainDescription {
  guest: Guest;
  type: 'kvm' | 'qemu';
  disks: readonly DomainDisk[];
  /** Direct kernel boot. */
  kernel?: { kernel: string; ramdisk: string | null };
  network: NetworkInfo;
  /** Whether filters keep guests from using others' addresses, and IPv6 is one of theirs; null where the host has none. */
  filters: { ipv6: boolean } | null;
  consoleLog: string;
  vnc: { listen: string; keymap: string } | null;
  /** Runs the guest's process as root, where only root can get at its files. */
  asRoot: boolean;
  /** Cards are virtio ones, and not what libvirt gives a guest of its kind. */
  virtioCards: boolean;
  /** A pointer that is where the viewer's is. */
  tablet: boolean;
  cpuMode: string | null;
  cpuModel: string | null;
}

/** The domain as libvirt is given it. */
export function domainXml(domain: DomainDescription): string {
  const { guest, kernel } = domain;
  const boot =
    kernel === undefined
      ? `<boot dev='${domain.disks[0]?.device === 'cdrom' ? 'cdrom' : 'hd'}'/>`
      : `<kernel>${xmlText(kernel.kernel)}</kernel>${
          kernel.ramdisk === null ? '' : `<initrd>${xmlText(kernel.ramdisk)}</initrd>`
        }<cmdline>${xmlText(kernelArguments(domain))}</cmdline>`;
  const serial = xmlText(guest.uuid);
  return `<domain type='${domain.type}'>
  <uuid>${xmlText(guest.uuid)}</uuid>
  <name>${xmlText(guest.name)}</name>
  <memory>${guest.memory_mb * 1024}</memory>
  <vcpu>${guest.vcpus}</vcpu>
  <sysinfo type='smbios'><system><entry name='manufacturer'>OpenStack Foundation</entry><entry name='product'>OpenStack Nova</entry><entry name='uuid'>${serial}</entry></system></sysinfo>
  <os><type>hvm</type>${boot}<smbios mode='sysinfo'/></os>
  <features><acpi/><apic/></features>
  <clock offset='utc'><timer name='pit' tickpolicy='delay'/><timer name='rtc' tickpolicy='catchup'/></clock>
  ${cpu(domain)}
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    ${domain.disks.map(diskXml).join('\n    ')}
    ${domain.network.map(vif => interfaceXml(vif, domain)).join('\n    ')}
    <serial type='file'><source path='${xmlText(domain.consoleLog)}'/></serial>
    <serial type='pty'/>
    ${domain.vnc !== null && domain.tablet ? "<input type='tablet' bus='usb'/>" : ''}
    ${
      domain.vnc === null
        ? ''
        : `<graphics type='vnc' autoport='yes' keymap='${xmlText(domain.vnc.keymap)}' listen='${xmlText(domain.vnc.listen)}'/>`
    }
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>${
    domain.asRoot
      ? `
  <seclabel type='static' model='dac' relabel='no'><label>+0:+0</label></seclabel>`
      : ''
  }
</domain>
`;
}

/**
 * Where the kernel of a guest finds its root, and speaks. A name that no virtio disk has is one that the image has for
 * others (`/dev/sda1` of EC2's); emulated processors keep no time that a kernel could check.
 */
function kernelArguments({ guest, type }: DomainDescription): string {
  const named = /^(?:\/dev\/)?(vd[a-z]\d*)$/.exec(guest.root_device_name ?? '')?.[1];
  const folsoms = `root=/dev/${named ?? 'vda'} console=ttyS0`;
  return type === 'qemu' ? `${folsoms} no_timer_check tsc=unstable` : folsoms;
}

function cpu(domain: DomainDescription): string {
  const mode = domain.cpuMode ?? (domain.type === 'kvm' ? 'host-model' : 'none');
  if (mode === 'host-model' || mode === 'host-passthrough' || mode === 'maximum')
    return `<cpu mode='${mode}'/>`;
  if (mode === 'custom' && domain.cpuModel) {
    return `<cpu mode='custom' match='exact'><model>${xmlText(domain.cpuModel)}</model></cpu>`;
  }
  return '';
}

function interfaceXml(
  vif: NetworkInfo[number],
  { filters, virtioCards }: Pick<DomainDescription, 'filters' | 'virtioCards'>,
): string {
  return (
    `<interface type='bridge'><mac address='${xmlText(vif.address)}'/>` +
    `<source bridge='${xmlText(vif.network?.bridge ?? '')}'/>${virtioCards ? "<model type='virtio'/>" : ''}` +
    `${filters === null ? '' : filterReference(vif, filters.ipv6)}</interface>`
  );
}

/** Host side of a running guest's cards with the bridges they belong to. */
export function cardsOf(xml: string): { device: string; bridge: string; mac: string }[] {
  return [...xml.matchAll(/<interface type='bridge'>(.*?)<\/interface>/gs)].flatMap(([, inner = '']) => {
    const device = /<target dev='([^']+)'/.exec(inner)?.[1];
    const bridge = /<source bridge='([^']+)'/.exec(inner)?.[1];
    const mac = /<mac address='([^']+)'/.exec(inner)?.[1] ?? '';
    return device === undefined || bridge === undefined ? [] : [{ device, bridge, mac }];
  });
}

/** What libvirt made of `autoport`; undefined while the guest does not run. */
export function vncPort(xml: string): number | undefined {
  const port = Number(/<graphics[^>]*type='vnc'[^>]*port='(\d+)'/.exec(xml)?.[1]);
  return Number.isInteger(port) && port > 0 ? port : undefined;
}
