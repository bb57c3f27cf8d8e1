/** `npm run demo`: the command `holdfast demo` as a program of its own. */
import { demoCommand } from './demo-command.js';

void demoCommand(process.argv.slice(2), process.stdout, process.stderr).then((code) => {
  process.exitCode = code;
});
