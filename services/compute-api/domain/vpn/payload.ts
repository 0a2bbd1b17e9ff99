import { readFile } from 'node:fs/promises';
import { strToU8, zipSync } from 'fflate';

/** What a VPN guest is told at its start. */
export interface VpnFacts {
  /** The EC2 API as the guest reaches it. */
  apiHost: string;
  apiPort: number;
  /** Network that clients reach through the VPN. */
  network: string;
  mask: string;
  /** Addresses at the end of the guest's network that it gives to clients. */
  clients: number;
}

export interface VpnCertificates {
  key: string;
  certificate: string;
  authority: string;
  revoked: string;
}

/** The own script: a bridged OpenVPN server over what the image has in `server.conf.template`. `${name}` are facts, `$$` is `$`. */
const OWN_SCRIPT = new URL('autorun.sh.template', import.meta.url);

/** Fills in a template as Python's string.Template does. @throws for a name that is none of the facts */
function fillIn(template: string, facts: VpnFacts): string {
  const values: Readonly<Record<string, string>> = {
    cc_dmz: facts.apiHost,
    cc_port: String(facts.apiPort),
    dmz_net: facts.network,
    dmz_mask: facts.mask,
    num_vpn: String(facts.clients),
  };
  return template.replace(/\$(?:(\$)|\{(\w+)\}|(\w+))/g, (_all, dollar, braced, bare) => {
    if (dollar !== undefined) return '$';
    const name = String(braced ?? bare);
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) throw new Error(`boot_script_template has $${name}, which nobody knows`);
    return value;
  });
}

/** The script of `boot_script_template`, or our own where there is no such file. */
export const bootScript = async (path: string): Promise<string> =>
  readFile(path, 'utf8').catch(error => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return readFile(OWN_SCRIPT, 'utf8');
  });

/** Lines of 76 characters, as images of the time expect base64. */
const base64Lines = (bytes: Uint8Array | string): string =>
  `${
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,76}/g)
      ?.join('\n') ?? ''
  }\n`;

/**
 * User data of a VPN guest: a zip with its script (`autorun.sh`) and certificates, encoded twice, since the metadata service decodes it
 * once and the image's start script once more.
 */
export function vpnUserData(template: string, facts: VpnFacts, certificates: VpnCertificates): string {
  const zip = zipSync({
    'autorun.sh': strToU8(fillIn(template, facts)),
    'crl.pem': strToU8(certificates.revoked),
    'server.key': strToU8(certificates.key),
    'ca.crt': strToU8(certificates.authority),
    'server.crt': strToU8(certificates.certificate),
  });
  return base64Lines(base64Lines(zip));
}
