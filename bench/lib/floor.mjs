/**
 * Compiles floor.c and floor-lease.c into a folder of its own. No compiler is no failure: the contenders are then
 * measured alone, and the reason is shown.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const sources = ['floor.c', 'floor-lease.c'].map((name) =>
  fileURLToPath(new URL(`../${name}`, import.meta.url)),
);

/** `{ program, compiler }`, or `{ reason }`. The compiler is `$CC`, by default `cc`. */
export function compileFloor(folder) {
  const cc = process.env.CC || 'cc';
  const program = join(folder, 'floor');
  const { error, status, stderr } = spawnSync(cc, ['-O2', '-o', program, ...sources], {
    encoding: 'utf8',
  });
  if (error?.code === 'ENOENT') {
    return {
      reason: `no C compiler: '${cc}' was not found; install one (Debian: apt-get install gcc libc6-dev) or name it in CC`,
    };
  }
  if (error !== undefined) return { reason: `${cc} could not be run: ${error.message}` };
  if (status !== 0) return { reason: `${cc} could not compile bench/floor*.c:\n${stderr.trim()}` };
  const version = spawnSync(cc, ['--version'], { encoding: 'utf8' });
  return { program, compiler: version.stdout.split('\n')[0] };
}
