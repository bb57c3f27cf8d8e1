/** Writes what a run has found: the figures, the charts, and the page that shows them. */
import { mkdirSync, writeFileSync } from 'node:fs';

import { format, resolveConfig } from 'prettier';

import { drawAll } from './charts.mjs';
import { pageOf } from './page.mjs';

const folder = new URL('../results/', import.meta.url);
export const resultsFile = new URL('results.json', folder);
const page = new URL('../../docs/performance.md', import.meta.url);

export async function save(results) {
  mkdirSync(folder, { recursive: true });
  const figures = await formatted(resultsFile, JSON.stringify(results), 'json');
  for (const [file, text] of [[resultsFile, figures], ...(await render(results))]) {
    writeFileSync(file, text);
  }
}

/** All of it but the figures: `[file, text]` of each. */
export async function render(results) {
  const charts = drawAll(results).map(([name, svg]) => [new URL(`${name}.svg`, folder), svg]);
  return [...charts, [page, await formatted(page, pageOf(results), 'markdown')]];
}

/** As `npm run format` would leave it. */
async function formatted(file, text, parser) {
  return format(text, { ...(await resolveConfig(file)), parser });
}
