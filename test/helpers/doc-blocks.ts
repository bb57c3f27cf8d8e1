/**
 * The programs in our documents: every fenced `js` block, run as a reader would run it, as a module
 * of its own beside an installed holdfast.
 *
 * What it prints is compared with what the document says: `console.log(x); // 1` in the order of the
 * lines, `…` standing for anything; or, if the block is followed by "It prints:" and a `text` block,
 * with all of that.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { childEnv, packageRoot } from './peer.js';

export interface DocBlock {
  /** Where the block begins, from 1. */
  readonly line: number;
  readonly code: string;
  /** What it prints, by the document; the lines of a whole output, or some of them. */
  readonly prints: { readonly whole: boolean; readonly lines: readonly string[] };
}

const fenced = /^```js\n([^]*?)^```$(?:\s*It prints:\s*```text\n([^]*?)^```$)?/gm;
const comment = /console\.log\(.*\); \/\/ (.*)$/gm;

export function docBlocks(markdown: string): DocBlock[] {
  return [...markdown.matchAll(fenced)].map(({ index, 1: code = '', 2: output }) => {
    const line = markdown.slice(0, index).split('\n').length;
    const said = [...code.matchAll(comment)].map((match) => match[1] ?? '');
    const lines = output === undefined ? said : output.trimEnd().split('\n');
    return { line, code, prints: { whole: output !== undefined, lines } };
  });
}

const limitMs = 60_000;

/** Runs the block in an empty folder; what is wrong with it, or undefined. */
export function runBlock({ code, prints }: DocBlock): string | undefined {
  // Outside of the repository: leases without a `dir` would go to its .git.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-docs-')));
  try {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(packageRoot, join(folder, 'node_modules/holdfast'), 'junction');
    writeFileSync(join(folder, 'block.mjs'), code);
    const env = { ...childEnv(), HOLDFAST_ROOT: undefined, LOKT_ROOT: undefined };
    const options = { cwd: folder, env, encoding: 'utf8', timeout: limitMs } as const;
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['block.mjs'], options);
    if (status !== 0 || stderr !== '') return `ended with ${signal ?? status ?? ''}:\n${stderr}`;
    const printed = stdout.trimEnd().split('\n');
    return agrees(printed, prints) ? undefined : `printed:\n${stdout}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function agrees(printed: string[], { whole, lines }: DocBlock['prints']): boolean {
  if (whole) return printed.join('\n') === lines.join('\n');
  let next = 0;
  for (const line of printed) {
    const wanted = lines[next];
    if (wanted !== undefined && pattern(wanted).test(line)) next++;
  }
  return next === lines.length;
}

function pattern(text: string): RegExp {
  const parts = text.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
