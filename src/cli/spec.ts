/** What there is to say of a command, and the options that several have. */

/** One option. Without `value` it is a flag. */
export interface OptionSpec {
  readonly short?: string;
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly text: string;
}

export interface CommandSpec {
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  /** One line. */
  readonly summary: string;
  /** More lines, as they stand. */
  readonly details?: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** How many arguments besides options, at least and at most. */
  readonly operands: readonly [least: number, most: number];
  /** Takes another command after `--`. */
  readonly command?: boolean;
  /** May change something, and so is written down in the audit log. */
  readonly changes?: boolean;
  readonly examples?: readonly string[];
  /** What its operands may be, if not the names of leases. */
  readonly values?: () => readonly string[];
  /** For programs; no help tells of it. */
  readonly hidden?: boolean;
  /** Where leases are said to be does not matter to it, or it looks for that itself. */
  readonly placeless?: boolean;
}

export const json: OptionSpec = { text: 'print JSON, one object' };
export const owner: OptionSpec = {
  value: 'NAME',
  text: 'who acts (default: HOLDFAST_OWNER, user@host)',
};
export const ttl: OptionSpec = {
  value: 'DURATION',
  text: 'how long it lasts: 90, 250ms, 30s, 5m, 2h',
};
const root: OptionSpec = {
  value: 'DIR',
  text: 'the folder of the leases (default: see holdfast help)',
};

const store: OptionSpec = {
  value: 'URL',
  text: 'of many machines: etcd://HOST:PORT/PREFIX (default: HOLDFAST_STORE)',
};

/** Of every command. */
export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  root,
  store,
  help: { short: 'h', text: 'print this text' },
};
