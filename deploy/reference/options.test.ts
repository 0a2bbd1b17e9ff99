import { describe, expect, it } from 'vitest';
import {
  type OptionFact,
  optionFacts,
  originalOptions,
  originalSwiftOptions,
  PROJECTS,
  shownValue,
  sources,
} from './options.ts';
import { swiftOptionFacts } from './swift-options.ts';

const code = sources();

const labelOf = ({ section, name }: Pick<OptionFact, 'section' | 'name'>): string => `[${section}] ${name}`;

describe.each(PROJECTS)('options of $name', project => {
  const facts = optionFacts(project, code);
  const known = new Map(facts.map(fact => [labelOf(fact), fact]));
  const originals = Object.entries(originalOptions[project.name]!).flatMap(([section, options]) =>
    Object.entries(options).map(([name, value]) => ({ section, name, value })),
  );

  it('none of the original is silent: it is acted on, or there is a reason why not', () => {
    expect(originals.length).toBeGreaterThan(40);
    expect(originals.map(labelOf).filter(label => !known.has(label))).toEqual([]);
  });

  it('each that is declared is read by something, or there is a reason why not', () => {
    const idle = facts.filter(fact => fact.declared && fact.readers.length === 0 && !fact.notHonoured);
    expect(idle.map(labelOf)).toEqual([]);
  });

  it('none that is read is said to have no effect', () => {
    expect(facts.filter(fact => fact.declared && fact.notHonoured).map(labelOf)).toEqual([]);
  });

  it('those without effect have the defaults of the original', () => {
    const different = originals.filter(({ value, ...option }) => {
      const excused = known.get(labelOf(option))?.notHonoured;
      return excused && shownValue(excused.default) !== value;
    });
    expect(different.map(labelOf)).toEqual([]);
  });
});

describe('options of swift', () => {
  const facts = swiftOptionFacts(originalSwiftOptions);
  const label = ({ file, section, name }: (typeof facts)[number]) => `${file} [${section}] ${name}`;

  it('each is acted on, or there is a reason why not', () => {
    expect(facts.length).toBeGreaterThan(200);
    expect(facts.filter(({ readers, reason }) => readers.length === 0 && !reason).map(label)).toEqual([]);
  });

  it('none that is read is said to have no effect', () => {
    expect(facts.filter(({ readers, reason }) => readers.length > 0 && reason).map(label)).toEqual([]);
    expect(facts.filter(({ reason }) => reason)).toHaveLength(8);
  });
});
