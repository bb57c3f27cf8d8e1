/** `--store` and HOLDFAST_STORE: leases that are not in files. Loaded only when asked for. */
import { readFileSync } from 'node:fs';

import type { EtcdOptions, EtcdTls } from '../etcd.js';
import type { LeaseStore } from '../store/store.js';
import type { Arguments } from './arguments.js';
import { asUsage, UsageError } from './exit-codes.js';

type Env = Readonly<Record<string, string | undefined>>;

const form = /^(etcds?):\/\/(?:([^@/]*)@)?([^@/]+)(?:\/(.*))?$/;

/** Undefined: files. A folder that is named on the command line comes before a variable. */
export async function openStore(args: Arguments, env: Env): Promise<LeaseStore | undefined> {
  const [named, root] = [args.text('store'), args.text('root')];
  if (named !== undefined && root !== undefined) {
    throw new UsageError('--store and --root exclude each other');
  }
  const address = named ?? (root === undefined ? env['HOLDFAST_STORE'] : undefined);
  if (address === undefined || (address === '' && named === undefined)) return undefined;
  const options = storeOptions(address, env);
  const { etcd } = await import('../etcd.js');
  return asUsage(() => etcd(options));
}

/**
 * `etcd://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...][/PREFIX]`; `etcds` for TLS, with the files that
 * etcdctl(1) is told by the same variables.
 *
 * @throws {UsageError} it has another form, or one of these files cannot be read
 */
export function storeOptions(address: string, env: Env): EtcdOptions {
  const [, scheme, said, hosts, prefix = ''] = form.exec(address) ?? [];
  if (scheme === undefined || hosts === undefined) {
    throw new UsageError('a store is etcd://HOST:PORT/PREFIX, or etcds:// for TLS');
  }
  const protocol = scheme === 'etcds' ? 'https' : 'http';
  const [name = '', password] =
    said === undefined ? parted(env['ETCDCTL_USER'] ?? '') : parted(said).map(decoded);
  return {
    endpoints: hosts.split(',').map((host) => `${protocol}://${host}`),
    ...(prefix === '' ? {} : { prefix }),
    ...(name === '' ? {} : { auth: { user: name, password: password ?? '' } }),
    ...(protocol === 'https' ? { tls: tlsOf(env) } : {}),
  };
}

/** At the first colon. */
function parted(user: string): string[] {
  const [name = '', ...password] = user.split(':');
  return [name, password.join(':')];
}

/** A colon in the name of a user is written %3A. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new UsageError('user and password of a store must be percent-encoded');
  }
}

function tlsOf(env: Env): EtcdTls {
  const read = (variable: string): Buffer | undefined => {
    const file = env[variable];
    if (file === undefined || file === '') return undefined;
    try {
      return readFileSync(file);
    } catch (error) {
      const { message } = error as Error;
      throw new UsageError(`${variable} names a file that cannot be read: ${message}`);
    }
  };
  const [ca, cert, key] = ['ETCDCTL_CACERT', 'ETCDCTL_CERT', 'ETCDCTL_KEY'].map(read);
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}
