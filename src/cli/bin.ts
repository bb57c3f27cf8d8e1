#!/usr/bin/env node
/** The program `holdfast`. */
import { nameProcess } from '../owner.js';
import { splitCommand } from './arguments.js';
import { main } from './main.js';

const { argv, env, stdout: output, stderr: errors } = process;
const words = argv.slice(2);

// Without its arguments, as every process: they may hold secrets.
const guarded = words.indexOf('--') + 1;
const rest = guarded === 0 ? [] : words.slice(guarded - 1, guarded + 1);
nameProcess(['holdfast', splitCommand(words).name ?? '', ...rest].join(' '));

// Nobody is left to be told.
errors.on('error', () => undefined);
void main(words, { output, errors, env }).then((code) => {
  process.exitCode = code;
});
