import { must } from '@folsom/core';
import {
  addDevice,
  EmptyRingError,
  liveDevices,
  nextDeviceId,
  removeDevice,
  setDeviceWeight,
} from './builder.ts';
import { type CommandRun, Refused } from './command.ts';
import type { BuilderDevice } from './devices.ts';
import {
  type DeviceMatch,
  DeviceText,
  formatDevice,
  pythonRepr,
  SearchValueError,
  searchDevices,
} from './search.ts';

const UNCHANGED = 'The on-disk ring builder is unchanged.\n';
const RULE = '-'.repeat(79);

/** `add`: pairs of `z<zone>-<ip>:<port>/<name>_<text>` and weight. */
export function addDevices(run: CommandRun): void {
  const { builder, args } = run;
  for (let i = 0; i < args.length; i += 2) {
    const device = parseNewDevice(must(args[i], 'i is in args'));
    const weight = pythonFloat(must(args[i + 1], 'i + 1 is in args'));
    if (weight === null) throw new Refused(`Invalid weight value: ${args[i + 1]}\n${UNCHANGED}`);
    if (weight < 0)
      throw new Refused(`Invalid weight value (must be positive): ${args[i + 1]}\n${UNCHANGED}`);
    const id = nextDeviceId(builder);
    const clash = sameAddress(liveDevices(builder), device);
    if (clash) throw new Refused(`${alreadyUses(clash)}\n${UNCHANGED}`);
    addDevice(builder, { id, ...device, weight });
    const shown = formatDevice({ id, ...device, weight }).replace(/^d\d+/, '');
    run.out(`Device ${shown} with ${floatText(weight)} weight got id ${id}\n`);
  }
}

function parseNewDevice(value: string): Pick<BuilderDevice, 'zone' | 'ip' | 'port' | 'device' | 'meta'> {
  // the one message of the four that comes without the second line
  if (!value.startsWith('z')) throw new Refused(`Invalid add value: ${value}`);
  const form = /^z(\d*)(-(?:\[[^\]]*\]?|[\d.]*))?(:\d*)?(\/[^_]*)?(?:_([\s\S]*))?$/.exec(value);
  const [, zone, ip, port, name, meta] = form ?? [];
  if (ip === undefined || port === undefined || name === undefined) {
    throw new Refused(`Invalid add value: ${value}\n${UNCHANGED}`);
  }
  const wholePart = (digits: string) => {
    if (digits === '') throw new SearchValueError("invalid literal for int() with base 10: ''");
    return Number(digits);
  };
  return {
    zone: wholePart(must(zone, 'zone is there')),
    ip: ip.slice(1).replace(/^\[+/, '').replace(/\]+$/, ''),
    port: wholePart(port.slice(1)),
    device: name.slice(1),
    meta: meta ?? '',
  };
}

/** `set_weight`: pairs of search value and weight. */
export function setWeights(run: CommandRun): void {
  const { builder, args } = run;
  for (let i = 0; i < args.length; i += 2) {
    const devices = searchDevices(builder, must(args[i], 'i is in args'));
    const weight = pythonFloat(must(args[i + 1], 'i + 1 is in args'));
    if (weight === null) throw new SearchValueError(`could not convert string to float: ${args[i + 1]}`);
    noneMatched(must(args[i], 'i is in args'), devices);
    confirm(run, devices, `update the weight for these ${devices.length} devices`, 'device modifications');
    for (const device of devices) {
      setDeviceWeight(builder, device.id, weight);
      run.out(`${formatDevice(device, false)} weight set to ${floatText(weight)}\n`);
    }
  }
}

/** `set_info`: pairs of search value and `<ip>:<port>/<name>_<text>`, any part of it. */
export function setInfo(run: CommandRun): void {
  const { builder, args } = run;
  for (let i = 0; i < args.length; i += 2) {
    const devices = searchDevices(builder, must(args[i], 'i is in args'));
    const text = new DeviceText(must(args[i + 1], 'i + 1 is in args'));
    text.address().number(':', 'port').name().meta();
    if (text.rest !== '' || text.parts.length === 0) {
      throw new SearchValueError(
        `Invalid set info change value: ${pythonRepr(must(args[1], 'args has more than 1'))}`,
      );
    }
    noneMatched(must(args[i], 'i is in args'), devices);
    confirm(
      run,
      devices,
      `update the info for these ${devices.length} devices`,
      'device modifications',
      true,
    );
    for (const device of devices) {
      const before = formatDevice(device);
      const after = { ...device, ...fields(text.parts) };
      const others = liveDevices(builder).filter(other => other.id !== device.id);
      const clash = sameAddress(others, after);
      if (clash) throw new Refused(alreadyUses(clash));
      Object.assign(device, after);
      run.out(`Device ${before} is now ${formatDevice(device)}\n`);
    }
  }
}

const fields = (parts: DeviceMatch): Partial<BuilderDevice> => Object.fromEntries(parts);

/** `remove`: search values. */
export function removeDevices(run: CommandRun): void {
  const { builder, args } = run;
  for (const value of args) {
    const devices = searchDevices(builder, value);
    if (devices.length === 0) {
      // The original stops on its own mistake here, with status 1.
      const error = new Error(`Search value "${value}" matched 0 devices.`);
      error.name = 'NameError';
      throw error;
    }
    confirm(run, devices, `remove these ${devices.length} devices`, 'device removals');
    for (const device of devices) {
      try {
        removeDevice(builder, device.id);
      } catch (error) {
        if (!(error instanceof EmptyRingError)) throw error;
        throw new Refused(
          [
            RULE,
            `An error occurred while removing device with id ${device.id}`,
            'This usually means that you attempted to remove',
            'the last device in a ring. If this is the case,',
            'consider creating a new ring instead.',
            'The on-disk ring builder is unchanged.',
            `Original exception message: ${error.message}`,
            RULE,
          ].join('\n'),
        );
      }
      run.out(`${formatDevice(device, false)} marked for removal and will be removed next rebalance.\n`);
    }
  }
}

function noneMatched(value: string, devices: readonly BuilderDevice[]): void {
  if (devices.length === 0) throw new Refused(`Search value "${value}" matched 0 devices.\n${UNCHANGED}`);
}

function confirm(
  run: CommandRun,
  devices: readonly BuilderDevice[],
  what: string,
  aborted: string,
  brackets = false,
): void {
  if (devices.length < 2) return;
  run.out('Matched more than one device:\n');
  for (const device of devices) run.out(`    ${formatDevice(device, brackets)}\n`);
  if (run.ask(`Are you sure you want to ${what}? (y/N) `) !== 'y') throw new Refused(`Aborting ${aborted}`);
}

const sameAddress = (
  devices: readonly BuilderDevice[],
  wanted: Pick<BuilderDevice, 'ip' | 'port' | 'device'>,
): BuilderDevice | undefined =>
  devices.find(
    device => device.ip === wanted.ip && device.port === wanted.port && device.device === wanted.device,
  );

const alreadyUses = (device: BuilderDevice): string =>
  `Device ${device.id} already uses ${device.ip}:${device.port}/${device.device}.`;

function pythonFloat(text: string): number | null {
  const value = text.trim();
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : null;
}

/** Python's str of a float: twelve digits, always with a point or an exponent. */
function floatText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e12) return `${value}.0`;
  const text = String(Number(value.toPrecision(12)));
  return /[.e]/.test(text) ? text : `${text}.0`;
}
