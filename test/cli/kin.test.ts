/** Who belongs to a guarded command, by what /proc shows. How they are ended is in guard-loss and guard-terminal. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';

import { kinOf, runs } from '../../lib/cli/kin.js';

const skip = process.platform === 'linux' ? false : 'there is no /proc';

await t.test('our children, until they have ended, and nobody else', { skip }, async (t) => {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const kin = kinOf('HOLDFAST_ID=of nobody');
  t.match(kin, [{ pid: child.pid, parent: process.pid }]);
  t.equal(kin.length, 1);
  t.ok(kin.every(runs));
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.notOk(kin.some(runs));
  t.strictSame(kinOf('HOLDFAST_ID=of nobody'), []);
});

const asRoot = process.getuid?.() === 0;
await t.test('numbers of another namespace are nobody', { skip: skip || !asRoot }, (t) => {
  // /proc is that of the namespace above, where 1 has children that are none of ours.
  const kin = fileURLToPath(new URL('../../lib/cli/kin.js', import.meta.url));
  const script = `import { kinOf } from '${kin}'; console.log(process.pid, kinOf('A=b').length);`;
  const words = [process.execPath, '--input-type=module', '-e', script];
  const said = execFileSync('unshare', ['--pid', '--fork', ...words], { encoding: 'utf8' });
  t.equal(said, '1 0\n');
  t.end();
});
