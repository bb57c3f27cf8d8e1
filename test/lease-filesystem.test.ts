/** Leases in a folder of another machine: refused, unless the caller takes the responsibility. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import type { FilesystemInfo } from '../lib/filesystem.js';
import { Leases } from '../lib/index.js';
import * as native from '../lib/native.js';
import * as grants from '../lib/store/file-grant.js';

type FolderModule = typeof import('../lib/folder.js');
type TransactionModule = typeof import('../lib/transaction.js');
type PlaceModule = typeof import('../lib/store/place.js');
type StoreModule = typeof import('../lib/store/file-store.js');

/** The store of a system whose statfs(2) says this, whatever the path. */
async function storeOn(t: Test, facts: Partial<FilesystemInfo>): Promise<StoreModule['FileStore']> {
  const info: FilesystemInfo = { type: '', source: '', magic: 0, remote: false, ...facts };
  const addon = Object.create(native.addon, { fsInfo: { value: () => info } }) as object;
  const folder = await t.mockImport<FolderModule>('../lib/folder.js', {
    '../lib/native.js': { ...native, addon },
  });
  const transaction = await t.mockImport<TransactionModule>('../lib/transaction.js', {
    '../lib/folder.js': folder,
  });
  const shared = { '../lib/store/file-grant.js': grants }; // a class that both know each other's by
  const place = await t.mockImport<PlaceModule>('../lib/store/place.js', {
    '../lib/transaction.js': transaction,
    ...shared,
  });
  const store = await t.mockImport<StoreModule>('../lib/store/file-store.js', {
    '../lib/store/place.js': place,
    ...shared,
  });
  return store.FileStore;
}

const foreign: Record<string, Partial<FilesystemInfo>> = {
  FUSE: { magic: 0x65735546 },
  'fuse.sshfs': { type: 'fuse.sshfs', source: 'alice@server:/home', magic: 0x65735546 },
  NFS: { magic: 0x6969 },
  '9p': { magic: 0x01021997 },
};

for (const [name, facts] of Object.entries(foreign)) {
  await t.test(name, async (t) => {
    const FileStore = await storeOn(t, facts);
    const dir = join(t.testdir(), 'leases');
    const strict = new Leases({ store: new FileStore({ dir }) });
    const path = join(dir, 'build.guard');
    const refusal = { code: 'ERR_LOCK_FS_UNSUPPORTED', path };
    for (const detached of [false, true]) {
      const options = { detached, ttl: '1h' };
      await t.rejects(strict.acquire('build', options), refusal);
      await t.rejects(strict.acquire('build', { ...options, timeout: 0 }), refusal);
      await t.rejects(strict.tryAcquire('build', options), refusal);
    }
    await t.rejects(strict.freeze('build', { ttl: '1h' }), refusal);
    t.notOk(existsSync(dir), 'nothing was made there');

    const willing = new Leases({ store: new FileStore({ dir, network: 'allow' }) });
    const lease = await willing.acquire('build', { ttl: '1h' });
    t.match(await willing.inspect('build'), { state: 'held', token: lease.token });
    await t.rejects(strict.tryAcquire('build'), refusal, 'what others allow is not allowed to all');
    t.equal(await lease.release(), 'released');
  });
}

await t.test('a filesystem of this host', async (t) => {
  const FileStore = await storeOn(t, { type: 'ext4', source: '/dev/vda', magic: 0xef53 });
  const leases = new Leases({ store: new FileStore({ dir: t.testdir() }) });
  t.equal(await (await leases.acquire('build')).release(), 'released');
});
