// One of those that contend in mixed.mjs: says that it is ready, waits for a line, adds to the number
// in a file under its lock, and tells the values that it wrote.
//
//   contend.mjs FILE ROUNDS
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

import { importLibrary } from './child.mjs';

const { withLock } = await importLibrary();

const [file, rounds] = process.argv.slice(2);
const values = [];

async function contend() {
  for (let round = 0; round < Number(rounds); round++) {
    await withLock(file, () => {
      // Fails if anybody else is in here.
      writeFileSync(`${file}.inside`, '', { flag: 'wx' });
      const value = Number(readFileSync(file, 'utf8')) + 1;
      writeFileSync(file, String(value));
      rmSync(`${file}.inside`);
      values.push(value);
    });
  }
  process.stdout.write(`${JSON.stringify(values)}\n`);
}

process.stdin.once('data', () => {
  process.stdin.pause();
  void contend();
});
process.stdout.write('ready\n');
