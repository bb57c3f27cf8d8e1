/** `npm run demo`: the command `holdfast demo` as a program of its own. */
import { main } from './main.js';

const { argv, env, stdout: output, stderr: errors } = process;
void main(['demo', ...argv.slice(2)], { output, errors, env }).then((code) => {
  process.exitCode = code;
});
