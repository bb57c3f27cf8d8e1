#!/usr/bin/env node
/** The program `holdfast`. */
import { main } from './main.js';

const { argv, env, stdout: output, stderr: errors } = process;

// Nobody is left to be told.
errors.on('error', () => undefined);
void main(argv.slice(2), { output, errors, env }).then((code) => {
  process.exitCode = code;
});
