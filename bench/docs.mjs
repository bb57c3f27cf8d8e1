/**
 * `npm run bench:docs [-- --check]`: judges the goals, draws the charts and writes docs/performance.md
 * again, from the figures of the last whole run in results/results.json; or says whether that would
 * change anything.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { judge } from './goals.mjs';
import { render, resultsFile } from './lib/save.mjs';

const check = process.argv.includes('--check');
const results = JSON.parse(readFileSync(resultsFile, 'utf8'));
for (const [file, text] of await render({ ...results, goals: judge(results.rows) })) {
  if (!check) {
    writeFileSync(file, text);
  } else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    console.error(`${fileURLToPath(file)} is not what npm run bench:docs makes of the results`);
    process.exitCode = 1;
  }
}
