import { t } from '../../lib/text.js';

/** Rules that people want most. */
export const PRESETS = [
  { key: 'ssh', ip_protocol: 'tcp', from_port: 22, to_port: 22 },
  { key: 'http', ip_protocol: 'tcp', from_port: 80, to_port: 80 },
  { key: 'https', ip_protocol: 'tcp', from_port: 443, to_port: 443 },
  { key: 'ping', ip_protocol: 'icmp', from_port: -1, to_port: -1 },
  { key: 'rdp', ip_protocol: 'tcp', from_port: 3389, to_port: 3389 },
  { key: 'mysql', ip_protocol: 'tcp', from_port: 3306, to_port: 3306 },
  { key: 'postgres', ip_protocol: 'tcp', from_port: 5432, to_port: 5432 },
  { key: 'allTcp', ip_protocol: 'tcp', from_port: 1, to_port: 65535 },
  { key: 'allUdp', ip_protocol: 'udp', from_port: 1, to_port: 65535 },
];

const presetOf = rule =>
  PRESETS.find(
    ({ ip_protocol, from_port, to_port }) =>
      ip_protocol === rule.ip_protocol && from_port === rule.from_port && to_port === rule.to_port,
  );

/** What a rule says, as a person would. */
export function inWords(rule) {
  const who =
    rule.group?.name !== undefined
      ? t('rule.group', { name: rule.group.name })
      : rule.ip_range?.cidr === '0.0.0.0/0' || rule.ip_range?.cidr === undefined
        ? t('rule.anyone')
        : t('rule.network', { cidr: rule.ip_range.cidr });
  const preset = presetOf(rule);
  if (preset) return t('rule.may', { who, what: t(`preset.${preset.key}`) });
  const protocol = String(rule.ip_protocol ?? '').toUpperCase();
  if (rule.ip_protocol === null) return t('rule.may', { who, what: t('rule.everything') });
  const what =
    rule.ip_protocol === 'icmp'
      ? t('rule.icmp', { type: rule.from_port, code: rule.to_port })
      : rule.from_port === rule.to_port
        ? t('rule.port', { protocol, port: rule.from_port })
        : t('rule.ports', { protocol, from: rule.from_port, to: rule.to_port });
  return t('rule.may', { who, what });
}
