import { EC2_ACTIONS } from '@folsom/compute-api/reference';
import { type Random, systemClock } from '@folsom/core';
import { type Answer, type AttackedCloud, eachOf } from './cloud.ts';
import { EC2_PATH, type Ec2Keys, signedQuery } from './ec2-signing.ts';
import { allRows, disturbed, type Estate } from './estate.ts';

const HOUR_MS = 3_600_000;

/** Everything that is no login. */
const STRANGE = [
  'nothing', 'no signature', 'garbage', 'unknown key', "another's secret", 'changed after signing', 'an hour old', 'a token instead',
] as const; // biome-ignore format: a list
type Caller = (typeof STRANGE)[number] | 'stranger' | 'admin';
const TARGETS = ['own', 'foreign', 'unknown'] as const;

interface Stage {
  cloud: AttackedCloud;
  random: Random;
  /** Whose things are asked for, and who asks for them. */
  victim: Estate;
  stranger: Estate;
  admin: Ec2Keys;
}

interface Cell {
  action: (typeof EC2_ACTIONS)[number];
  caller: Caller;
  target: (typeof TARGETS)[number];
}

const pickFrom =
  (random: Random) =>
  <T>(items: readonly T[]): T =>
    items[random.int(items.length)]!;

/** Parameters that name something, by what they name; the others hold what lets a request come as far as that. */
function parametersOf({ random, victim, stranger }: Stage, { action, target }: Cell): Record<string, string> {
  const pick = pickFrom(random);
  const { ids } = target === 'own' ? stranger : victim;
  const known = target !== 'unknown';
  const number = () => random.int(0xffff).toString(16).padStart(8, '0');
  const id = (prefix: string, own: string) => (known ? own : `${prefix}-${number()}`);
  const values: Record<string, () => string> = {
    InstanceId: () => id('i', ids.ec2Instance!),
    VolumeId: () => id('vol', ids.ec2Volume!),
    SnapshotId: () => id('snap', ids.ec2Snapshot!),
    ImageId: () => id('ami', ids.ec2Image!),
    KernelId: () => id('aki', ids.ec2Image!),
    RamdiskId: () => id('ari', ids.ec2Image!),
    PublicIp: () => (known ? ids.address! : '203.0.113.77'),
    GroupName: () => (known ? ids.groupName! : 'nobody'),
    GroupId: () => (known ? ids['os-security-groups']! : number()),
    KeyName: () => (known ? ids['os-keypairs']! : 'nobody'),
    Attribute: () => pick(['userData', 'groupSet', 'instanceType', 'launchPermission', 'kernel', 'blockDeviceMapping', 'rootDeviceName', 'toString']), // biome-ignore format: a list
    OperationType: () => pick(['add', 'remove']),
    UserGroup: () => 'all',
    Size: () => '1',
    Device: () => pick(['/dev/vdc', 'vdd', '../../x']),
    MinCount: () => '1',
    MaxCount: () => '1',
    IpProtocol: () => pick(['tcp', 'icmp', 'x']),
    FromPort: () => '22',
    ToPort: () => '22',
    CidrIp: () => '0.0.0.0/0',
    NoReboot: () => pick(['true', 'false']),
    InstanceType: () => 'm1.tiny',
    ImageLocation: () => pick(['theirs/manifest.xml', '../x/manifest.xml', 'http://127.0.0.1:6000/x']),
    ZoneName: () => pick(['verbose', 'nova']),
    'BlockDeviceMapping.1.DeviceName': () => '/dev/vde',
    'BlockDeviceMapping.1.Ebs.SnapshotId': () => pick([id('snap', ids.ec2Snapshot!), id('vol', ids.ec2Volume!)]),
    'Filter.1.Name': () => 'all-tenants',
    'Filter.1.Value.1': () => '1',
    'IpPermissions.1.Groups.1.UserId': () => ids.tenants!,
    'IpPermissions.1.Groups.1.GroupName': () => (known ? ids.groupName! : 'nobody'),
  }; // biome-ignore format: a table
  const out: Record<string, string> = { Action: action.name };
  for (const [name, { kind, required }] of Object.entries(action.parameters)) {
    if (!required && random.int(3) === 0) continue;
    if (kind === 'records') {
      for (const [field, value] of Object.entries(values))
        if (field.startsWith(`${name}.`)) out[field] = value();
    } else out[kind === 'list' ? `${name}.1` : name] = (values[name] ?? (() => 'attack'))();
  }
  return out;
}

async function send(stage: Stage, cell: Cell): Promise<[Answer, string]> {
  const { cloud, random, victim, stranger, admin } = stage;
  const { caller, target, action } = cell;
  const parameters = parametersOf(stage, cell);
  const theirs = victim.keys;
  const query = (() => {
    switch (caller) {
      case 'nothing':
      case 'a token instead':
        return new URLSearchParams(parameters).toString();
      case 'no signature':
        return signedQuery(theirs, parameters).replace(/&Signature=.*/, '');
      case 'garbage':
        return signedQuery(theirs, parameters).replace(/(&Signature=).*/, `$1${random.hex(20)}`);
      case 'unknown key':
        return signedQuery({ access: random.hex(32), secret: theirs.secret }, parameters);
      case "another's secret":
        return signedQuery({ access: theirs.access, secret: stranger.keys.secret }, parameters);
      case 'changed after signing':
        return `${signedQuery(theirs, { ...parameters, Owner: 'x' })}&Owner=y`;
      case 'an hour old':
        return signedQuery(theirs, parameters, { at: systemClock.now() - HOUR_MS });
      default:
        return signedQuery(caller === 'admin' ? admin : stranger.keys, parameters);
    }
  })();
  const login = caller === 'a token instead' ? { token: victim.owner.token } : {};
  const answer = await cloud.ask('ec2', 'GET', `${EC2_PATH}?${query}`, login);
  const shown = `ec2, ${caller}, ${target}: ${action.name} ${JSON.stringify(parameters)}: ${answer.status} ${answer.text.slice(0, 300)}`;
  return [answer, shown];
}

function problemOf({ victim }: Stage, { caller }: Cell, { status, text }: Answer): string | null {
  if (status >= 500) return 'an error of its own';
  if (caller === 'admin') return null;
  if (caller !== 'stranger' && status < 400) return 'let in without a signature';
  return text.includes(victim.mark) ? "another tenant's data" : null;
}

/**
 * Every action of the EC2 API, with no signature, wrong ones and somebody else's, by another tenant and an administrator, for
 * what is his own, another's, and what is not there. Throws nothing; tells what gave way.
 */
export async function attackEc2(
  scene: Omit<Stage, 'victim' | 'stranger'> & { alice: Estate; bob: Estate },
  callers: 'strangers' | 'administrator',
  count: number,
): Promise<{ sent: number; problems: string[] }> {
  const { cloud, random, alice: victim, bob: stranger } = scene;
  const stage: Stage = { ...scene, victim, stranger };
  const before = callers === 'strangers' ? await allRows(cloud) : null;
  const who: readonly Caller[] = before ? [...STRANGE, ...Array<'stranger'>(8).fill('stranger')] : ['admin'];
  const cells = EC2_ACTIONS.flatMap(action =>
    who.flatMap(caller => TARGETS.map(target => ({ action, caller, target }))),
  );
  for (let at = cells.length - 1; at > 0; at--) {
    const other = random.int(at + 1);
    [cells[at], cells[other]] = [cells[other]!, cells[at]!];
  }
  const problems: string[] = [];
  // Again and again with other parameters, as long as there is something to send.
  const chosen = Array.from({ length: count }, (_none, at) => cells[at % cells.length]!);
  await eachOf(chosen, 6, async cell => {
    const [answer, shown] = await send(stage, cell);
    const why = problemOf(stage, cell, answer);
    if (why !== null) problems.push(`${why}: ${shown}`);
    cloud.takeLog();
  });
  if (before)
    for (const row of disturbed(before, await allRows(cloud), victim, stranger.traces))
      problems.push(`changed through EC2 by somebody else: ${row}`);
  return { sent: chosen.length, problems };
}
