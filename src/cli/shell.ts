/** Lines for people to type: words as a shell takes them, whatever is in them. Pure. */
import { plain, steering } from '../owner.js';
import type { Arguments } from './arguments.js';

/**
 * A command on this lease, or on all, where they were looked for. Options come first where the name
 * would be taken for one.
 */
export function typed(
  args: Arguments,
  command: string,
  name: string | undefined,
  options: readonly string[] = [],
): string {
  const all = [...options, ...placeOf(args)];
  const named = name === undefined ? [] : [name];
  const words = name?.startsWith('-') === true ? [...all, '--', ...named] : [...named, ...all];
  return ['holdfast', command, ...words.map(quoted)].join(' ');
}

/** An option with this value, which may begin as an option does. */
export function option(name: string, value: string): string[] {
  return value.startsWith('-') ? [`--${name}=${value}`] : [`--${name}`, value];
}

/** As it was said; but passwords are not repeated. */
function placeOf(args: Arguments): string[] {
  const [root, store] = [args.text('root'), args.text('store')];
  return [
    ...(root === undefined ? [] : option('root', root)),
    ...(store === undefined
      ? []
      : option('store', store.replace(/(\/\/[^@/:]*:)[^@/]*@/, '$1PASSWORD@'))),
  ];
}

/** One word. What would steer a terminal is spelt out, by bytes, as in bash, zsh and POSIX.1-2024. */
export function quoted(word: string): string {
  if (/^[\w@%+:,./-][\w@%+=:,./-]*$/.test(word)) return word; // zsh looks for what follows a first =
  if (word === plain(word)) return `'${word.replaceAll("'", "'\\''")}'`;
  const spelt = word.replace(/['\\]/g, '\\$&').replace(steering, bytes);
  return `$'${spelt}'`;
}

function bytes(character: string): string {
  const octal = (byte: number): string => `\\${byte.toString(8).padStart(3, '0')}`;
  return Array.from(Buffer.from(character), octal).join('');
}
