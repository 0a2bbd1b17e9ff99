import { PLACES, type Side } from './programs.ts';

/** Who is what in a cloud. */
export interface Mixture {
  name: string;
  /** By the name of the place; nobody is in one that is not named. */
  sides: ReadonlyMap<string, Side>;
  /** The other side made the databases' rows, and everything is switched at once. */
  takesOver: boolean;
}

/** Present in some mixtures only. */
const SECOND = 'nova-scheduler 2';

const everyday = PLACES.map(({ name }) => name).filter(name => name !== SECOND);
const all = (side: Side): Map<string, Side> => new Map(everyday.map(name => [name, side]));
const otherSide = (side: Side): Side => (side === 'ours' ? 'original' : 'ours');

/** What a place belongs to: both nova-computes are one service, a swift server and its updater another. */
const serviceOf = (place: string): string => place.split(' ')[0] ?? place;
/** Services that are exchanged on their own. */
const SERVICES = [...new Set(everyday.map(serviceOf))];

function alone(service: string, side: Side): Mixture {
  const sides = all(otherSide(side));
  for (const name of everyday) if (serviceOf(name) === service) sides.set(name, side);
  const rest = side === 'ours' ? 'originals' : 'ours';
  const who = side === 'ours' ? 'our' : 'the original';
  return { name: `${who} ${service} among ${rest}`, sides, takesOver: false };
}

const withSides = (name: string, base: Side, changed: Record<string, Side>): Mixture => ({
  ...{ name, sides: new Map([...all(base), ...Object.entries(changed)]), takesOver: false },
});

/** Every mixture, in an order in which few programs change between one and the next. */
export const MIXTURES: readonly Mixture[] = [
  { name: 'all originals', sides: all('original'), takesOver: false },
  ...SERVICES.map(service => alone(service, 'ours')),
  withSides('schedulers of both among originals', 'original', { [SECOND]: 'ours' }),
  withSides('computes of both among originals', 'original', { 'nova-compute c1': 'ours' }),
  { name: 'all ours on what originals made', sides: all('ours'), takesOver: true },
  ...SERVICES.map(service => alone(service, 'original')),
  withSides('schedulers of both among ours', 'ours', { [SECOND]: 'original' }),
  withSides('computes of both among ours', 'ours', { 'nova-compute c2': 'original' }),
  { name: 'all originals on what ours made', sides: all('original'), takesOver: true },
];

/** Those whose name is or holds one of the words; all without a word. @throws for a word that is in no name */
export function chosenMixtures(words: readonly string[]): readonly Mixture[] {
  const strange = words.find(word => !MIXTURES.some(({ name }) => name.includes(word)));
  if (strange !== undefined) throw new Error(`no mixture is called ${strange}`);
  const whole = new Set(words.filter(word => MIXTURES.some(({ name }) => name === word)));
  const chosen = (name: string) =>
    words.some(word => (whole.has(word) ? name === word : name.includes(word)));
  return MIXTURES.filter(({ name }) => words.length === 0 || chosen(name));
}

/** The mixture in which the rows are made that this one takes over. */
export const before = ({ name, sides }: Mixture): Mixture => ({
  name: `before ${name}`,
  sides: new Map([...sides].map(([place, side]) => [place, otherSide(side)])),
  takesOver: false,
});
