/** The argument parser on any words, and on words that make sense in any order. */
import fc from 'fast-check';
import t from 'tap';

import { readArguments, splitCommand } from '../../lib/cli/arguments.js';
import { UsageError } from '../../lib/cli/exit-codes.js';
import { commonOptions } from '../../lib/cli/spec.js';
import { specs } from '../../lib/cli/specs.js';

const spec = fc.constantFrom(...specs);
const known = specs.flatMap(({ options }) => Object.keys(options)).map((name) => `--${name}`);
const word = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(...known, '-h', '--', '-', '', '--no-ttl', '--ttl=', '-w=1', '__proto__'),
  fc.constantFrom(...known).map((name) => `${name}=5m`),
);

await t.test('any words: read, or a usage error', async (t) => {
  fc.assert(
    fc.property(spec, fc.array(word), (spec, words) => {
      try {
        const { flag, text, duration, operands, command } = readArguments(spec, words);
        if (spec.command !== true && command.length > 0) return false;
        for (const name of Object.keys({ ...commonOptions, ...spec.options })) {
          if (flag(name) && text(name) !== undefined) return false;
          try {
            const ms = duration(name);
            if (ms !== undefined && !(ms >= 1)) return false;
          } catch (error) {
            if (!(error instanceof UsageError)) throw error;
          }
        }
        return operands.every((operand) => words.includes(operand));
      } catch (error) {
        if (error instanceof UsageError) return true;
        throw error;
      }
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

/** A command, what is asked of it, and words that say so. */
const sense = spec.chain((spec) => {
  const options = Object.entries({ ...commonOptions, ...spec.options });
  const chosen = fc.subarray(options.filter(([name]) => name !== 'help'));
  const plain = fc.string().filter((text) => !text.startsWith('-'));
  const operands = fc.array(plain, { minLength: spec.operands[0], maxLength: spec.operands[1] });
  const rest = spec.command === true ? fc.array(word, { minLength: 1 }) : fc.constant([]);
  return fc
    .record({ chosen, operands, rest, values: fc.array(fc.string(), { minLength: 20 }) })
    .chain(({ chosen, operands, rest, values }) => {
      const given = chosen.map(([name, { value }], i) => {
        const text = value === undefined ? undefined : (values[i % values.length] ?? '');
        return { name, text, words: [text === undefined ? `--${name}` : `--${name}=${text}`] };
      });
      // Operands keep their order among themselves.
      const places = fc.array(fc.nat(operands.length), {
        minLength: given.length,
        maxLength: given.length,
      });
      return places.map((at) => {
        const words = operands.flatMap((operand, i) => [
          ...given.filter((_, which) => at[which] === i).flatMap(({ words }) => words),
          operand,
        ]);
        const last = given.filter((_, which) => at[which] === operands.length);
        words.push(...last.flatMap(({ words }) => words));
        return { spec, given, operands, rest, words };
      });
    });
});

await t.test('words that make sense are read as they were meant, in any order', async (t) => {
  fc.assert(
    fc.property(sense, ({ spec, given, operands, rest, words }) => {
      const all = spec.command === true ? [...words, '--', ...rest] : words;
      const read = readArguments(spec, all);
      const right =
        JSON.stringify(read.operands) === JSON.stringify(operands) &&
        JSON.stringify(read.command) === JSON.stringify(rest);
      return (
        given.every(({ name, text }) =>
          text === undefined ? read.flag(name) : read.text(name) === text,
        ) && right
      );
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

await t.test('a command is found behind any options, and no word is lost', async (t) => {
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const { name, rest } = splitCommand(words);
      if (name === 'version' || name === 'help') return rest.length <= words.length;
      return rest.length === words.length - (name === undefined ? 0 : 1);
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
