import { isDict, type Pickled, PickleError, type PickleStrings } from './pickle.ts';

export interface UnpickleOptions {
  /** Default `utf8`. */
  strings?: PickleStrings;
  /**
   * Globals that may stand in the pickle, as `module.name`, each with the plain function that turns the arguments
   * into data. Anything else that names code is refused.
   */
  allow?: Readonly<Record<string, (args: readonly Pickled[]) => Pickled>>;
}

const MARK = Symbol('mark');
class Global {
  readonly name: string;
  readonly make: (args: readonly Pickled[]) => Pickled;
  constructor(name: string, make: (args: readonly Pickled[]) => Pickled) {
    this.name = name;
    this.make = make;
  }
}
type Slot = Pickled | Global | typeof MARK;

/**
 * Reads one pickle.
 * @throws PickleError for anything that is not complete, known, plain data.
 */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions = {}): Pickled {
  return new Reader(bytes, options).read();
}

/** Reads one pickle that must hold a dict. */
export function unpickleDict(bytes: Uint8Array, options: UnpickleOptions = {}): Record<string, Pickled> {
  const value = unpickle(bytes, options);
  if (!isDict(value)) throw new PickleError('the pickle does not hold a dictionary');
  return value as Record<string, Pickled>;
}

class Reader {
  readonly #bytes: Buffer;
  readonly #encoding: PickleStrings;
  readonly #allow: NonNullable<UnpickleOptions['allow']>;
  readonly #stack: Slot[] = [];
  readonly #memo: Slot[] = [];
  #at = 0;

  constructor(bytes: Uint8Array, options: UnpickleOptions) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#encoding = options.strings ?? 'utf8';
    this.#allow = options.allow ?? {};
  }

  read(): Pickled {
    for (;;) {
      const code = this.#byte();
      if (code === 0x2e) return this.#popValue(); // STOP
      this.#step(code);
    }
  }

  /** By the kinds of operations, those that most pickles are made of first. */
  #step(code: number): void {
    if (this.#text(code) || this.#number(code) || this.#gather(code) || this.#memory(code)) return;
    if (this.#stackWork(code) || this.#object(code)) return;
    throw new PickleError(`unsupported pickle operation 0x${code.toString(16)} at ${this.#at - 1}`);
  }

  #text(code: number): boolean {
    const stack = this.#stack;
    switch (code) {
      case 0x53: // STRING
        stack.push(this.#quoted(this.#line()));
        return true;
      case 0x54: // BINSTRING
        stack.push(this.#characters(this.#bytes.readUInt32LE(this.#take(4)), this.#encoding));
        return true;
      case 0x55: // SHORT_BINSTRING
        stack.push(this.#characters(this.#byte(), this.#encoding));
        return true;
      case 0x56: // UNICODE
        stack.push(this.#unicode(rawUnicodeEscape(this.#line())));
        return true;
      case 0x58: // BINUNICODE
        stack.push(this.#characters(this.#bytes.readUInt32LE(this.#take(4)), this.#encoding));
        return true;
      default:
        return false;
    }
  }

  /** Numbers and what else has no parts. */
  #number(code: number): boolean {
    const stack = this.#stack;
    switch (code) {
      case 0x4e: // NONE
        stack.push(null);
        return true;
      case 0x88: // NEWTRUE
        stack.push(true);
        return true;
      case 0x89: // NEWFALSE
        stack.push(false);
        return true;
      case 0x49: // INT
        stack.push(this.#intText(this.#line()));
        return true;
      case 0x4c: // LONG
        stack.push(integer(this.#line().replace(/L$/, '')));
        return true;
      case 0x4a: // BININT
        stack.push(this.#bytes.readInt32LE(this.#take(4)));
        return true;
      case 0x4b: // BININT1
        stack.push(this.#byte());
        return true;
      case 0x4d: // BININT2
        stack.push(this.#bytes.readUInt16LE(this.#take(2)));
        return true;
      case 0x8a: // LONG1
        stack.push(this.#long(this.#byte()));
        return true;
      case 0x8b: // LONG4
        stack.push(this.#long(this.#bytes.readUInt32LE(this.#take(4))));
        return true;
      case 0x46: // FLOAT
        stack.push(floatText(this.#line()));
        return true;
      case 0x47: // BINFLOAT
        stack.push(this.#bytes.readDoubleBE(this.#take(8)));
        return true;
      default:
        return false;
    }
  }

  /** Lists, tuples and dicts. What is taken off the stack comes before what it goes to. */
  #gather(code: number): boolean {
    const stack = this.#stack;
    switch (code) {
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
        stack.push([]);
        return true;
      case 0x6c: // LIST
      case 0x74: // TUPLE
        stack.push(this.#popToMark());
        return true;
      case 0x85:
      case 0x86:
      case 0x87: // TUPLE1..3
        stack.push(this.#popCount(code - 0x84));
        return true;
      case 0x61: // APPEND
        this.#append(this.#popCount(1));
        return true;
      case 0x65: // APPENDS
        this.#append(this.#popToMark());
        return true;
      case 0x7d: // EMPTY_DICT
        stack.push(dictOf([]));
        return true;
      case 0x64: // DICT
        stack.push(dictOf(this.#popToMark()));
        return true;
      case 0x73: // SETITEM
        this.#setItems(this.#popCount(2));
        return true;
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark());
        return true;
      default:
        return false;
    }
  }

  #memory(code: number): boolean {
    const stack = this.#stack;
    switch (code) {
      case 0x70: // PUT
        this.#memo[this.#index(this.#line())] = this.#top();
        return true;
      case 0x71: // BINPUT
        this.#memo[this.#byte()] = this.#top();
        return true;
      case 0x72: // LONG_BINPUT
        this.#memo[this.#bytes.readUInt32LE(this.#take(4))] = this.#top();
        return true;
      case 0x67: // GET
        stack.push(this.#remembered(this.#index(this.#line())));
        return true;
      case 0x68: // BINGET
        stack.push(this.#remembered(this.#byte()));
        return true;
      case 0x6a: // LONG_BINGET
        stack.push(this.#remembered(this.#bytes.readUInt32LE(this.#take(4))));
        return true;
      default:
        return false;
    }
  }

  #stackWork(code: number): boolean {
    const stack = this.#stack;
    switch (code) {
      case 0x80: // PROTO
        if (this.#byte() > 2) throw new PickleError('unsupported pickle protocol');
        return true;
      case 0x28: // MARK
        stack.push(MARK);
        return true;
      case 0x30: // POP
        this.#pop();
        return true;
      case 0x31: // POP_MARK
        this.#popToMark();
        return true;
      case 0x32: // DUP
        stack.push(this.#top());
        return true;
      default:
        return false;
    }
  }

  /** Objects of the classes that may stand in this pickle. */
  #object(code: number): boolean {
    const stack = this.#stack;
    switch (code) {
      case 0x63: {
        // GLOBAL
        const name = `${this.#line()}.${this.#line()}`;
        stack.push(new Global(name, this.#allowed(name)));
        return true;
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = this.#popValue();
        const callee = this.#pop();
        if (!(callee instanceof Global) || !Array.isArray(args))
          throw new PickleError('a call of no known type');
        stack.push(callee.make(args));
        return true;
      }
      case 0x62: {
        // BUILD: the state of an allowed object is its attributes
        const state = this.#popValue();
        if (!isDict(state)) throw new PickleError('an object with a state of its own kind');
        Object.assign(this.#dict(), state);
        return true;
      }
      default:
        return false;
    }
  }

  #allowed(name: string): Global['make'] {
    const made = Object.hasOwn(this.#allow, name) ? this.#allow[name] : undefined;
    if (made === undefined) throw new PickleError(`${name} is not data`);
    return made;
  }

  #byte(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  /** The position of the next `count` bytes, which are thereby consumed. */
  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new PickleError('the pickle is cut short');
    this.#at = at + count;
    return at;
  }

  #characters(length: number, encoding: PickleStrings): string {
    const at = this.#take(length);
    return encoding === 'latin1'
      ? this.#bytes.toString('latin1', at, at + length)
      : this.#bytes.toString('utf8', at, at + length);
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw new PickleError('the pickle is cut short');
    const line = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end + 1;
    return line;
  }

  #index(line: string): number {
    if (!/^\d{1,9}$/.test(line)) throw new PickleError('a bad memo index');
    return Number(line);
  }

  #intText(line: string): number | bigint | boolean {
    if (line === '00') return false;
    if (line === '01') return true;
    return integer(line);
  }

  #long(length: number): number | bigint {
    if (length > 64) throw new PickleError('a number of too many digits');
    const at = this.#take(length);
    if (length === 0) return 0;
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes.readUInt8(at + i));
    if (this.#bytes.readUInt8(at + length - 1) & 0x80) value -= 1n << BigInt(8 * length);
    return narrow(value);
  }

  #quoted(line: string): string {
    const quote = line[0];
    if (line.length < 2 || (quote !== "'" && quote !== '"') || !line.endsWith(quote)) {
      throw new PickleError('a string without its quotes');
    }
    const raw = unescapeBytes(line.slice(1, -1));
    return this.#encoding === 'latin1' ? raw : Buffer.from(raw, 'latin1').toString('utf8');
  }

  #unicode(text: string): string {
    return this.#encoding === 'latin1' ? Buffer.from(text, 'utf8').toString('latin1') : text;
  }

  #top(): Slot {
    const top = this.#stack.at(-1);
    if (top === undefined) throw new PickleError('an empty stack');
    return top;
  }

  #pop(): Slot {
    if (this.#stack.length === 0) throw new PickleError('an empty stack');
    return this.#stack.pop() as Slot;
  }

  #popValue(): Pickled {
    const value = this.#pop();
    if (value === MARK || value instanceof Global) throw new PickleError('a value was expected');
    return value as Pickled;
  }

  #popCount(count: number): Pickled[] {
    const items = new Array<Pickled>(count);
    for (let i = count - 1; i >= 0; i--) items[i] = this.#popValue();
    return items;
  }

  #popToMark(): Pickled[] {
    const stack = this.#stack;
    let at = stack.length - 1;
    while (at >= 0 && stack[at] !== MARK) {
      if (stack[at] instanceof Global) throw new PickleError('a value was expected');
      at--;
    }
    if (at < 0) throw new PickleError('no mark on the stack');
    const items = stack.slice(at + 1) as Pickled[];
    stack.length = at;
    return items;
  }

  #append(items: readonly Pickled[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw new PickleError('a list was expected');
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly Pickled[]): void {
    setItems(this.#dict(), items);
  }

  #dict(): Record<string, Pickled> {
    const value = this.#top();
    if (!isDict(value)) throw new PickleError('a dictionary was expected');
    return value as Record<string, Pickled>;
  }

  #remembered(index: number): Slot {
    const value = this.#memo[index];
    if (value === undefined) throw new PickleError('an empty memo');
    return value;
  }
}

function dictOf(items: readonly Pickled[]): Record<string, Pickled> {
  const made = Object.create(null) as Record<string, Pickled>;
  setItems(made, items);
  return made;
}

function setItems(target: Record<string, Pickled>, items: readonly Pickled[]): void {
  if (items.length % 2 !== 0) throw new PickleError('a key without its value');
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i];
    if (typeof key !== 'string' && typeof key !== 'number') throw new PickleError('a key that is no text');
    target[key] = items[i + 1] as Pickled;
  }
}

function integer(text: string): number | bigint {
  if (!/^[+-]?\d{1,80}$/.test(text)) throw new PickleError('a bad number');
  return narrow(BigInt(text.replace(/^\+/, '')));
}

const narrow = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;

function floatText(text: string): number {
  const special = new Map([
    ['nan', Number.NaN],
    ['inf', Infinity],
    ['-inf', -Infinity],
  ]);
  const value = special.get(text) ?? (text.trim() === '' ? Number.NaN : Number(text));
  if (Number.isNaN(value) && text !== 'nan') throw new PickleError('a bad float');
  return value;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** Undoes Python's repr of a byte string, one character a byte. */
const unescapeBytes = (text: string): string =>
  text.includes('\\')
    ? text.replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)/g, (whole, code: string) => {
        if (code.length === 3 && code[0] === 'x')
          return String.fromCharCode(Number.parseInt(code.slice(1), 16));
        if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8) & 0xff);
        return ESCAPES[code] ?? whole;
      })
    : text;

const rawUnicodeEscape = (text: string): string =>
  text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_whole, four?: string, eight?: string) => {
    const point = Number.parseInt(four ?? eight ?? '', 16);
    if (point > 0x10ffff) throw new PickleError('a bad character');
    return String.fromCodePoint(point);
  });
