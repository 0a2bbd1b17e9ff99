import { isIPv4, isIPv6 } from 'node:net';
import { novaFault } from '@folsom/nova/faults';
import type { NewRule } from '@folsom/nova/security-groups';
import { integer } from './values.ts';

/** A rule as its request says it; undefined parts are open. */
export interface RuleRequest {
  protocol: string | undefined;
  /** Numbers, as fronts bring them: Folsom complains of one that is none only where the protocol asks for it. */
  fromPort: string | number | undefined;
  toPort: string | number | undefined;
  cidr: string | undefined;
  groupId: number | undefined;
}

const INT_MAX = 2_147_483_647;

/**
 * Checks a rule and puts it in the one form that firewalls read: the protocol in small letters.
 *
 * @throws Fault `InvalidIpProtocol`, `InvalidPortRange`, `InvalidInput`, `InvalidCidr`
 * @returns undefined when there is not enough for a rule
 */
export function ruleOf(request: RuleRequest): Omit<NewRule, 'parent_group_id'> | undefined {
  const shown = request.protocol?.slice(0, 255) ?? '';
  const protocol = shown.toLowerCase();
  let { fromPort: from, toPort: to } = request;
  if (request.groupId !== undefined && from === undefined && to === undefined) {
    if (protocol === 'icmp') from = to = -1;
    if (protocol === 'tcp' || protocol === 'udp') [from, to] = [1, 65_535];
  }
  const source =
    request.groupId === undefined
      ? { cidr: cidrOf(request.cidr), group_id: null }
      : { cidr: null, group_id: request.groupId };
  if (protocol === '' || from === undefined || to === undefined) {
    return request.groupId === undefined
      ? undefined
      : { protocol: null, from_port: null, to_port: null, ...source };
  }
  const ports = checkPorts(shown, protocol, from, to);
  return { protocol, ...ports, ...source };
}

function checkPorts(shown: string, protocol: string, from: string | number, to: string | number) {
  const [from_port, to_port] = [integer(from), integer(to)];
  if (
    from_port === undefined ||
    to_port === undefined ||
    Math.abs(from_port) > INT_MAX ||
    Math.abs(to_port) > INT_MAX
  ) {
    const reason =
      protocol === 'icmp'
        ? 'Type and Code must be integers for ICMP protocol type'
        : 'To and From ports must be integers';
    throw novaFault('InvalidInput', { reason });
  }
  if (!['tcp', 'udp', 'icmp'].includes(protocol)) throw novaFault('InvalidIpProtocol', { protocol: shown });
  const range = (msg: string) => novaFault('InvalidPortRange', { from_port, to_port, msg });
  if (protocol === 'icmp') {
    if ([from_port, to_port].some(value => value < -1 || value > 255)) {
      throw range('For ICMP, the type:code must be valid');
    }
  } else {
    if (from_port > to_port) throw range('Former value cannot be greater than the later');
    if (from_port < 1 || to_port > 65_535) throw range('Valid TCP ports should be between 1-65535');
  }
  return { from_port, to_port };
}

/** `address/prefix`; everybody where none is given. @throws Fault `InvalidCidr` */
function cidrOf(value: string | undefined): string {
  if (value === undefined || value === '') return '0.0.0.0/0';
  let decoded = value;
  try {
    decoded = decodeURIComponent(decoded);
  } catch {
    throw novaFault('InvalidCidr', { cidr: decoded.slice(0, 255) });
  }
  const [address = '', prefix, ...rest] = decoded.split('/');
  const bits = /^\d{1,3}$/.test(prefix ?? '') ? Number(prefix) : Number.NaN;
  const good =
    rest.length === 0 &&
    ((isIPv4(address) && bits <= 32) || (isIPv6(address) && !address.includes('%') && bits <= 128));
  if (!good) throw novaFault('InvalidCidr', { cidr: decoded.slice(0, 255) });
  return decoded;
}
