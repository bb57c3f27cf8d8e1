// Loaded into every test process before the test (.taprc). tap adds its coverage hook to every
// Node process that a test starts, by way of NODE_OPTIONS and past the `env` that is given to it:
// 170 ms each, of some 2 000, and files written beside the test's own. A user's program has no such
// company, so neither has a child here. process-on-spawn is what tap adds it with; the listeners
// run in order, and this is the last.
import processOnSpawn from 'process-on-spawn';

const hook = /"?--import=\S*processinfo\S*"?/g;

// Node 20 parses the file at every start, which takes longer than the start.
delete process.env.NODE_EXTRA_CA_CERTS;

processOnSpawn.addListener((child) => {
  const env = Object.entries(child.env).filter(([name]) => !name.startsWith('_TAPJS_'));
  child.env = Object.fromEntries(env);
  const options = child.env.NODE_OPTIONS?.replaceAll(hook, '').trim();
  if (options) child.env.NODE_OPTIONS = options;
  else delete child.env.NODE_OPTIONS;
});
