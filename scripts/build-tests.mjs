// Compiles the tests into test-build/, once and not in every test process anew. It lies as deep as
// test/, so the way to lib/ and to the fixtures is the same. Types are checked by `npm run types`.
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(`${root}/test-build`, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, '-p', 'test/tsconfig.build.json', '--noCheck'], {
  cwd: root,
  stdio: 'inherit',
});
cpSync(`${root}/test/fixtures`, `${root}/test-build/fixtures`, { recursive: true });
