// What the campaigns have in common: their options, and the package that they are about.
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { generator } from '../test/fixtures/random.mjs';

export const packageRoot = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** HOLDFAST_PACKAGE names another package, a mutant perhaps. */
export const testedRoot = process.env.HOLDFAST_PACKAGE ?? packageRoot;

export const library = (root = testedRoot) => import(pathToFileURL(`${root}/lib/index.js`));

/**
 * `--minutes` and `--seed`; more of them in `others`, as parseArgs has them. With `--help` the campaign
 * says what stands at the head of its file, and ends; with what is none of these it says so, and ends.
 */
export function campaignOptions(minutes, others = {}) {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: 'boolean', short: 'h' },
        minutes: { type: 'string', default: String(minutes) },
        seed: { type: 'string', default: String(Date.now() % 1e6) },
        ...others,
      },
    });
    if (values.help) {
      console.log(headOf(process.argv[1]));
      process.exit(0);
    }
    const numbers = { minutes: Number(values.minutes), seed: Number(values.seed) };
    if (!(numbers.minutes > 0))
      throw new Error(`--minutes is no number above 0: ${values.minutes}`);
    if (!Number.isSafeInteger(numbers.seed)) throw new Error(`--seed is no number: ${values.seed}`);
    return { ...values, ...numbers };
  } catch ({ message }) {
    console.error(`${message}\nTry --help.`);
    process.exit(64); // EX_USAGE
  }
}

function headOf(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines
    .slice(0, end)
    .map((line) => line.slice(3))
    .join('\n');
}

export { generator };

/** For a process that was forked: its end is that of the campaign at the latest. */
export function endWithCampaign() {
  process.on('disconnect', () => process.exit());
  if (!process.connected) process.exit(); // it was over before anybody listened
}

/** A copy of the package with a fault in its lib/, and what removes it. */
export function brokenPackage({ file, from, to }) {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-broken-'));
  for (const part of ['lib', 'prebuilds', 'package.json']) {
    cpSync(join(packageRoot, part), join(root, part), { recursive: true });
  }
  symlinkSync(join(packageRoot, 'node_modules'), join(root, 'node_modules'));
  plant(join(root, file), from, to);
  return { root, remove: () => rmSync(root, { recursive: true }) };
}

/** A copy of a package for everybody to read, with the program of lease-process.mjs, and what removes it. */
export function readablePackage(of = testedRoot) {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-readable-'));
  const finder = 'node_modules/node-gyp-build';
  const program = 'test/fixtures/lease-process.mjs';
  for (const part of ['lib', 'prebuilds', 'package.json', finder]) {
    cpSync(join(of, part), join(root, part), { recursive: true, dereference: true });
  }
  cpSync(join(packageRoot, program), join(root, program));
  chmodSync(root, 0o755);
  return { root, program: join(root, program), remove: () => rmSync(root, { recursive: true }) };
}

/** Puts a fault into a file that has that text once. */
export function plant(path, from, to) {
  const source = readFileSync(path, 'utf8');
  if (source.split(from).length !== 2) throw new Error(`${path} does not hold once: ${from}`);
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
}
