/** Who belongs to a guarded command, by what /proc shows. How they are ended is in guard-loss and guard-terminal. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';

import { Kin } from '../../lib/cli/kin.js';

const skip = process.platform === 'linux' ? false : 'there is no /proc';

await t.test('our children, until they have ended, and nobody else', { skip }, async (t) => {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const kin = new Kin('HOLDFAST_ID=of nobody');
  const found = kin.look();
  t.match(found, [{ pid: child.pid, parent: process.pid }]);
  t.equal(found.length, 1);
  t.strictSame(kin.look(), [], 'nobody new');
  t.strictSame(kin.running, found);
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.strictSame(kin.running, []);
});

const asRoot = process.getuid?.() === 0;
await t.test('who was found stays known, and who descends from it', { skip }, async (t) => {
  // Not by their environment, and orphans when the first shell is gone.
  const script = "exec 3<&0; sh -c 'echo $$; read line; sleep 1000 & echo $!; wait' <&3 & wait";
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  t.teardown(() => process.kill(-(child.pid ?? 0), 'SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const second = Number((await lines.next()).value);
  const kin = new Kin('HOLDFAST_ID=of nobody');
  t.ok(kin.look().some(({ pid }) => pid === second));
  child.kill('SIGKILL');
  await once(child, 'exit');
  child.stdin.write('go\n');
  const third = Number((await lines.next()).value);
  t.match(kin.look(), [{ pid: third }]);
  t.strictSame(kin.running.map(({ pid }) => pid).sort(), [second, third].sort());
});

await t.test('numbers of another namespace are nobody', { skip: skip || !asRoot }, (t) => {
  // /proc is that of the namespace above, where 1 has children that are none of ours.
  const kin = fileURLToPath(new URL('../../lib/cli/kin.js', import.meta.url));
  const script = `import { Kin } from '${kin}'; console.log(process.pid, new Kin('A=b').look().length);`;
  const words = [process.execPath, '--input-type=module', '-e', script];
  const said = execFileSync('unshare', ['--pid', '--fork', ...words], { encoding: 'utf8' });
  t.equal(said, '1 0\n');
  t.end();
});
