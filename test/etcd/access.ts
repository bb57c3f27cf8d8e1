/** Who is let in: users with passwords, and TLS. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import { Leases } from '../../lib/index.js';
import { etcd as storeOf, type EtcdOptions } from '../../lib/etcd.js';
import { Etcd, withoutEtcd } from '../helpers/etcd.js';

t.setTimeout(300_000);
const code = 'ERR_LOCK_STORE_UNAVAILABLE';
const open = (options: EtcdOptions): Leases =>
  new Leases({ store: storeOf({ timeout: 3000, ...options }) });

async function suite(): Promise<void> {
  await t.test('a user with a password', async (t) => {
    // Tokens are over after two seconds, so one is asked for again.
    const etcd = await Etcd.start(t, { args: () => ['--auth-token-ttl=2'] });
    const { endpoints } = etcd;
    const control = (...words: string[]): void => {
      execFileSync('etcdctl', ['--endpoints', endpoints.join(), ...words], {
        env: { ...process.env, ETCDCTL_API: '3' },
        stdio: 'ignore',
      });
    };
    control('user', 'add', 'root:secret');
    control('user', 'grant-role', 'root', 'root');
    control('auth', 'enable');
    const auth = { user: 'root', password: 'secret' };
    const [leases, others] = [open({ endpoints, auth }), open({ endpoints, auth })];
    const lease = await leases.acquire('name', { ttl: 60_000 });
    const waits = others.acquire('name', { ttl: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, 4000));
    await lease.renew();
    t.equal(await lease.release(), 'released');
    t.equal(await (await waits).release(), 'released');
    await t.rejects(open({ endpoints }).acquire('name'), { code });
    const wrong = { user: 'root', password: 'wrong' };
    await t.rejects(open({ endpoints, auth: wrong }).acquire('name'), {
      code,
      message: /password/,
    });
  });

  await t.test('TLS, with a certificate of the client', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
    t.teardown(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...request, ...subject], { stdio: 'ignore' });
    const args = [`--cert-file=${cert}`, `--key-file=${key}`];
    const { endpoints } = await Etcd.start(t, {
      scheme: 'https',
      args: () => [...args, `--trusted-ca-file=${cert}`, '--client-cert-auth'],
    });
    const tls = { ca: readFileSync(cert), cert: readFileSync(cert), key: readFileSync(key) };
    const leases = open({ endpoints, tls });
    const lease = await leases.acquire('name', { ttl: 60_000 });
    const waits = leases.acquire('name', { ttl: 60_000 });
    await lease.release();
    await (await waits).release();
    await t.rejects(open({ endpoints }).acquire('name'), { code }, 'an unknown certificate');
    const { ca } = tls;
    await t.rejects(
      open({ endpoints, tls: { ca } }).acquire('name'),
      { code },
      'none of the client',
    );
  });

  await t.test('something that is no gateway', async (t) => {
    const { endpoints } = await Etcd.start(t, { args: () => ['--enable-grpc-gateway=false'] });
    const message = /enable-grpc-gateway/;
    await t.rejects(open({ endpoints }).acquire('name'), { code, message });
  });
}

if (withoutEtcd !== false) t.plan(0, withoutEtcd);
else await suite();
