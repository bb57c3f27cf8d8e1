/** Where an etcd is, and how to be let in. */
import type { ConnectionOptions } from 'node:tls';

import { checkTimeout, wrongType } from '../../options.js';

/**
 * For `https` endpoints, as `tls.connect` takes them; `servername`: the name that the certificate of the
 * server must have, by default the host of the endpoint.
 */
export type EtcdTls = Readonly<
  Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'servername'>
>;

export interface EtcdOptions {
  /** `'http://10.0.0.1:2379'` or several; all `http`, or all `https`, without a path. The port is 2379 unless said. */
  readonly endpoints: string | readonly string[];
  /**
   * Before all keys. Leases of other prefixes are other leases. It may have several parts, with slashes
   * between them; none but the first may be `line` or `freeze`. Default `holdfast`.
   */
  readonly prefix?: string;
  readonly auth?: { readonly user: string; readonly password: string } | undefined;
  readonly tls?: EtcdTls | undefined;
  /** Milliseconds until a question that nobody answers is given up. Default 5000. */
  readonly timeout?: number;
}

/** Nothing but slashes; or its keys would be among those of the prefix that ends before that part. */
const noPrefix = /^\/*$|[^/]\/+(?:line|freeze)(?:\/|$)/;

const endpointForm = "URLs such as 'http://127.0.0.1:2379': no path, and a password in auth";
const prefixForm = 'a non-empty string, with "line" and "freeze" at most in front';

/** @throws {TypeError | RangeError} and names the option */
export function checkOptions(options: unknown): asserts options is EtcdOptions {
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object');
  const given = options as Record<string, unknown>;
  const { endpoints, prefix = 'holdfast', auth, tls = {}, timeout = 5000 } = given;
  const [url] = endpointsOf(endpoints);
  if (typeof prefix !== 'string' || noPrefix.test(prefix)) throw wrongType('prefix', prefixForm);
  if (auth !== undefined) {
    const { user, password } = (auth ?? {}) as Record<string, unknown>;
    if (typeof user !== 'string' || user === '') throw wrongType('auth.user', 'a string');
    if (typeof password !== 'string') throw wrongType('auth.password', 'a string');
  }
  if (typeof tls !== 'object' || tls === null) throw wrongType('tls', 'an object');
  // Or what is meant to be secret would be sent for all to read.
  if (url?.protocol === 'http:' && Object.values(tls).some(Boolean))
    throw new TypeError('tls needs https endpoints');
  if (checkTimeout(timeout) === 0) throw new RangeError('timeout must be above 0 ms');
}

/** @throws {TypeError} none, or not the address of a server */
export function endpointsOf(endpoints: unknown): URL[] {
  const given: unknown[] = Array.isArray(endpoints) ? endpoints : [endpoints];
  const urls = given.map((each) => {
    const url = typeof each === 'string' && URL.canParse(each) ? new URL(each) : undefined;
    const right = url?.protocol === 'http:' || url?.protocol === 'https:';
    if (!right || url.href !== `${url.origin}/`) throw wrongType('endpoints', endpointForm);
    // What a URL leaves out is a port of the web; and so is what it does not keep when it is said.
    if (url.port === '' && !/:(?:80|443)\b(?!.*])/.test(String(each))) url.port = '2379';
    return url;
  });
  if (urls.length === 0) throw wrongType('endpoints', 'at least one URL');
  if (new Set(urls.map(({ protocol }) => protocol)).size > 1) {
    throw new TypeError('endpoints must be all http or all https');
  }
  return urls;
}
