/**
 * The documents: their programs run and print what they say, the reference knows every public
 * symbol, and no link leads nowhere.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import ts from 'typescript';

import { docBlocks, runBlock } from './helpers/doc-blocks.js';
import { packageRoot } from './helpers/peer.js';

const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8');
const inFolder = (folder: string): string[] =>
  readdirSync(join(packageRoot, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `${folder}/${file}`);

const manuals = ['README.md', ...inFolder('docs')];

await t.test('a block that is wrong is found', async (t) => {
  const wrong = [
    'throw new Error();',
    'console.log(1); // 2',
    'console.log(1); // 1\nconsole.log(2); // 1',
    'console.log("a b"); // a …c',
    'console.warn(1);',
    'process.kill(process.pid, "SIGKILL");',
    'import { noSuchThing } from "holdfast";',
  ];
  for (const code of wrong) {
    const [block] = docBlocks(`\`\`\`js\n${code}\n\`\`\`\n`);
    t.ok(block && runBlock(block), code);
  }
  const [block] = docBlocks('```js\nconsole.log(1)\n```\n\nIt prints:\n\n```text\n1\n2\n```\n');
  t.ok(block && runBlock(block));
});

for (const manual of manuals) {
  const blocks = docBlocks(read(manual));
  if (blocks.length === 0) continue;
  await t.test(`${manual}: ${blocks.length} programs`, async (t) => {
    for (const block of blocks) t.equal(runBlock(block), undefined, `line ${block.line}`);
  });
}

/** Everything that is declared in src/ and can be exported, by its name. */
function declarations(): Map<string, ts.Declaration> {
  const found = new Map<string, ts.Declaration>();
  for (const file of readdirSync(join(packageRoot, 'src'), { recursive: true }).map(String)) {
    if (!file.endsWith('.ts')) continue;
    for (const statement of parse(join('src', file)).statements) {
      const named =
        ts.isInterfaceDeclaration(statement) ||
        ts.isClassDeclaration(statement) ||
        ts.isTypeAliasDeclaration(statement);
      if (named && statement.name) found.set(statement.name.text, statement);
    }
  }
  return found;
}

function parse(path: string): ts.SourceFile {
  return ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);
}

function publicNames(): string[] {
  return parse('src/index.ts').statements.flatMap((statement) => {
    const clause = ts.isExportDeclaration(statement) ? statement.exportClause : undefined;
    if (clause === undefined || !ts.isNamedExports(clause)) {
      throw new Error(`not a list of names: ${statement.getText()}`);
    }
    return clause.elements.map(({ name }) => name.text);
  });
}

/** The public members of a class or an interface. */
function members(declaration: ts.Declaration | undefined): string[] {
  if (declaration === undefined) return [];
  if (!ts.isInterfaceDeclaration(declaration) && !ts.isClassDeclaration(declaration)) return [];
  return declaration.members.flatMap(({ name }) =>
    name && ts.isIdentifier(name) ? name.text : [],
  );
}

/** All words in code, inline or in blocks. */
function wordsInCode(markdown: string): Set<string> {
  const code = markdown.match(/^```[^]*?^```$|`[^`\n]+`/gm) ?? [];
  return new Set(code.join('\n').match(/[A-Za-z_]\w*/g));
}

await t.test('docs/api.md has every public symbol, and what it consists of', async (t) => {
  const words = wordsInCode(read('docs/api.md'));
  const declared = declarations();
  const names = publicNames();
  t.ok(names.length > 20);
  for (const name of names) {
    const missing = [name, ...members(declared.get(name))].filter((word) => !words.has(word));
    t.strictSame(missing, [], name);
  }
});

await t.test('docs/api.md has every channel, docs/errors.md every code', async (t) => {
  const quoted = (path: string, form: RegExp): string[] => [...new Set(read(path).match(form))];
  const channels = quoted('src/events.ts', /(?<=')holdfast:\w+(?=')/g);
  const codes = quoted('src/errors.ts', /(?<=')ERR_LOCK_\w+(?=')/g);
  t.ok(channels.length > 5 && codes.length > 10);
  const [api, errors] = [read('docs/api.md'), read('docs/errors.md')];
  for (const channel of channels) t.ok(api.includes(channel), channel);
  for (const code of codes) t.ok(errors.includes(`| \`${code}\` `), code);
});

/** As the usual renderers make them: lower case, no punctuation, `-` for each blank. */
function anchors(markdown: string): string[] {
  const headings = markdown.replace(/^```[^]*?^```$/gm, '').match(/(?<=^#+ ).*$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

await t.test('no link leads nowhere', async (t) => {
  const top = ['CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'];
  for (const path of [...manuals, ...top, ...inFolder('docs/adr')]) {
    for (const [, target = ''] of read(path).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const full = file === '' ? path : join(dirname(path), file);
      const there = existsSync(join(packageRoot, full));
      t.ok(
        there && (anchor === undefined || anchors(read(full)).includes(anchor)),
        `${path}: ${target}`,
      );
    }
  }
});
