/** Names become file names: never two the same, on no disk (scenario D8). */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';

import { checkName, fileName, longestFileName, nameOf } from '../lib/names.js';
import { anyText, seedOf } from './helpers/records.js';

/** What the least of all disks would make of it: one case, one normal form, no dots at the end. */
function folded(file: string): string[] {
  const bare = (text: string): string => text.toLowerCase().replace(/[. ]+$/, '');
  return (['NFC', 'NFD', 'NFKC', 'NFKD'] as const).map((form) => bare(file.normalize(form)));
}

const suffixes = ['.lock', '.guard', '.freeze', '.queue', '.new'];
const reserved = /^(con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³])( *\.|$)/i;

await t.test('the form', async (t) => {
  const table: [name: string, file: string][] = [
    ['deploy', 'deploy'],
    ['a_b', 'a_b'],
    ['a-b.c', 'a-b.c'],
    ['a:b', 'a%3ab'],
    ['a/b', 'a%2fb'],
    ['a\\b', 'a%5cb'],
    ['a b', 'a%20b'],
    ['a%b', 'a%25b'],
    ['a%2fb', 'a%252fb'],
    ['Deploy/EU', '%44eploy%2f%45%55'],
    ['.', '%2e'],
    ['..', '%2e%2e'],
    ['...', '%2e.%2e'],
    ['.hidden', '%2ehidden'],
    ['end.', 'end%2e'],
    ['a..b', 'a..b'],
    ['é', '%c3%a9'],
    ['e\u0301', 'e%cc%81'],
    ['🔒', '%f0%9f%94%92'],
    ['\ud83d', '%ed%a0%bd'],
    ['\udd12', '%ed%b4%92'],
    ['\ufffd', '%ef%bf%bd'],
    ['con', '%63on'],
    ['con.txt', '%63on.txt'],
    ['nul', '%6eul'],
    ['com0', '%63om0'],
    ['lpt9.a.b', '%6cpt9.a.b'],
    ['CON', '%43%4f%4e'],
    ['com¹', 'com%c2%b9'],
    ['conin$', 'conin%24'],
    ['con.', 'con%2e'],
    ['con ', 'con%20'],
    ['console', 'console'],
    ['com10', 'com10'],
    ['a.con', 'a.con'],
    ['a.lock', 'a.lock'],
    ['\n', '%0a'],
    ['~', '%7e'],
  ];
  for (const [name, file] of table) {
    t.equal(fileName(name), file, JSON.stringify(name));
    t.equal(nameOf(file), name, `${file} back`);
  }
});

await t.test('names that are alike never collide', async (t) => {
  const long = 'x'.repeat(300);
  const names = [
    ...['a:b', 'a/b', 'a_b', 'a%3ab', 'a%2fb', 'A:b', 'a:B', 'a\\b', 'a b', 'ab', 'a.b'],
    ...['.', '..', '...', '%2e', '%2E', '%2e%2e', './a', 'a/', 'a//b', '/a', '../a'],
    ...[
      'é',
      'e\u0301',
      'É',
      'E\u0301',
      'ß',
      'ss',
      'ẞ',
      'SS',
      'ı',
      'i',
      'İ',
      'I',
      'ﬁ',
      'fi',
      'ſ',
      's',
    ],
    ...[
      'K',
      '\u212a',
      'k',
      'Å',
      '\u212b',
      'å',
      '鎖',
      '🔒',
      '\ud83d',
      '\udd12',
      '\udd12\ud83d',
      '\ufffd',
    ],
    ...['con', 'CON', 'Con', '%63on', 'con.', 'con ', 'con.lock', 'nul', 'com1', 'com¹', 'aux.c'],
    ...[
      'a',
      'a.lock',
      'a.guard',
      'a.lock.lock',
      'a.new',
      'a.',
      'a ',
      '\x01',
      '\x7f',
      '-',
      '%',
      '%-',
    ],
    ...[long, `${long}x`, long.toUpperCase(), `${'x'.repeat(299)}y`, `y${'x'.repeat(299)}`],
    ...['/'.repeat(300), '鎖'.repeat(300), '\ud83d'.repeat(300), '\udd12'.repeat(300)],
    ...[`${long}\ud800`, `${long}\ud801`, `${long}\ufffd`],
    ...[199, 200, 201].map((length) => 'z'.repeat(length)),
  ];
  names.push(...names.map(fileName).filter((file) => !names.includes(file)));
  const owners = new Map<string, string>();
  for (const name of names) {
    for (const key of new Set(suffixes.flatMap((suffix) => folded(fileName(name) + suffix)))) {
      const other = owners.get(key) ?? name;
      owners.set(key, name);
      if (other !== name) t.fail(`${JSON.stringify([other, name])} share ${key}`);
    }
  }
  t.ok(names.length > 120, `${names.length} names`);
  const folder = t.testdir();
  for (const name of names)
    writeFileSync(join(folder, `${fileName(name)}.guard`), '', { flag: 'wx' });
  t.equal(readdirSync(folder).length, names.length, 'nor on this disk');
});

await t.test('long names are cut, and cannot be mistaken for others', async (t) => {
  t.equal(fileName('x'.repeat(200)), 'x'.repeat(200), 'the longest that stays');
  const cut = fileName('x'.repeat(201));
  t.match(cut, /^x{158}%-[0-9a-f]{40}$/);
  t.equal(nameOf(cut), undefined, 'only the record knows');
  t.not(fileName(cut), cut, 'a name that looks like it is another one');
  t.match(fileName('/'.repeat(100)), /^(%2f){52}%-[0-9a-f]{40}$/, 'no byte is cut in half');
  t.match(fileName(`a${'/'.repeat(100)}`), /^a(%2f){52}%-/);
  t.match(fileName(`ab${'/'.repeat(100)}`), /^ab(%2f){52}%-/);
  t.match(fileName(`con.${'x'.repeat(300)}`), /^%63on\.x+%-/, 'a device is one, however long');
  t.ok(fileName('🔒'.repeat(1e5)).length <= longestFileName);
});

await t.test('what is no name', async (t) => {
  for (const name of ['', '\0', 'a\0b', undefined, null, 7, {}, ['a']]) {
    t.throws(() => fileName(name as string), TypeError, JSON.stringify([name]));
    t.throws(() => checkName(name), TypeError);
  }
});

await t.test('files that are none of ours have no name', async (t) => {
  const files = [
    ...['', 'A', 'a b', 'a/b', 'é', '%', '%4', '%zz', '%2F', '%61', '%2e%61', 'a%00b', '%00'],
    ...['.', '..', '.hidden', 'end.', 'con', 'nul.txt', 'com1', '%63onsole', '%6eull'],
    ...['%ff', '%c3', '%c3%28', '%c0%ae', '%ed%a0%bd%ed%b4%92', '%f4%90%80%80', 'x'.repeat(201)],
    ...['%-', `a%-${'0'.repeat(40)}`, 'a~1', 'a\n', '%2d', '%5f'],
  ];
  for (const file of files) t.equal(nameOf(file), undefined, JSON.stringify(file));
});

const anyName = anyText(120, 1).map((name) => name.replaceAll('\0', '%'));
const confusing = Array.from('aA.%:-eé\u0301Kk\u212aſsß/con1¹2f ~').concat('\ud83d', '\udd12');
/** Names that differ in little: few characters, those that a disk or an encoding would confuse. */
const nearName = fc
  .array(fc.constantFrom(...confusing, '%-', '%2e', 'com', 'CON.'), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join(''));
const longName = fc
  .tuple(nearName, fc.integer({ min: 150, max: 300 }), nearName)
  .map(([start, length, end]) => start + 'x'.repeat(length) + end);
const name = fc.oneof(anyName, nearName, longName);

await t.test('any name: safe characters, bounded, and back', async (t) => {
  const seed = seedOf(t);
  fc.assert(
    fc.property(name, (some) => {
      const file = fileName(some);
      const safe = /^(?!\.)(?:[a-z0-9._-]|%[0-9a-f]{2}|%-(?=[0-9a-f]{40}$))+(?<!\.)$/.test(file);
      const usable = suffixes.every((suffix) => !reserved.test(file + suffix));
      const back = nameOf(file);
      const known = back === some || (back === undefined && file.includes('%-'));
      return safe && usable && known && file.length <= longestFileName;
    }),
    { seed, numRuns: 5000 },
  );
});

await t.test('any two names: never one file, folded or normalised', async (t) => {
  const seed = seedOf(t);
  fc.assert(
    fc.property(nearName, nearName, (one, two) => {
      return one === two || folded(fileName(one))[0] !== folded(fileName(two))[0];
    }),
    { seed, numRuns: 5000 },
  );
  fc.assert(
    fc.property(name, (some) => {
      const kin = [some.toLowerCase(), some.toUpperCase(), some.normalize('NFC'), fileName(some)];
      kin.push(some.normalize('NFD'), some.normalize('NFKC'), `${some}.`, `${some} `, `.${some}`);
      return kin.every((other) => other === some || fileName(other) !== fileName(some));
    }),
    { seed, numRuns: 2000 },
  );
  const files = new Map<string, string>();
  const pool = fc.sample(name, { seed, numRuns: 20_000 });
  for (const some of pool) {
    const [key = ''] = folded(fileName(some));
    const other = files.get(key) ?? some;
    if (other !== some) t.fail(JSON.stringify([some, other]));
    files.set(key, some);
  }
  t.equal(files.size, new Set(pool).size, `${files.size} names, as many files`);
});
