/**
 * Wrong protocols of leases, one step left out or done in another way, and which trial each is caught
 * by. Those in `lib/` are changes of the compiled TypeScript, the others of the C++.
 */
import type { KillerName } from './lease-killers.js';
import { believesPids } from '../fixtures/pid-mutant.mjs';
import type { Mutation } from './package-copy.js';

export interface LeaseMutant {
  name: string;
  mutations: Mutation[];
  killer: KillerName;
}

/** A change of the C++ has to be compiled. */
export const isNative = ({ mutations }: LeaseMutant): boolean =>
  mutations.some(({ file }) => file.startsWith('native/'));

const place = 'lib/store/place.js';
const holding = 'lib/store/holding.js';
const transaction = 'native/transaction.cc';

/** The tokens that a power cut would hand out again. */
const noCeiling: Mutation = {
  file: 'native/guard.cc',
  from: 'if (const os::Failure failure = file_.sync()) return failure;',
  to: '',
};

export const leaseMutants: LeaseMutant[] = [
  {
    name: 'pid liveness',
    mutations: [believesPids],
    killer: 'a pid that lives again',
  },
  {
    name: 'wall-clock expiry',
    mutations: [
      {
        file: 'lib/expiry.js',
        from: "return { leftMs: deadline - now[clock], judge: 'boot' };",
        to: "return { leftMs: expires - now.wallMs, judge: 'wall' };",
      },
    ],
    killer: 'a wall clock two hours ahead',
  },
  {
    name: 'no owner check on renewal, detached',
    mutations: [
      {
        file: holding,
        from: 'if (record === null || !identityOf(record).equals(identityOf(own.bytes)))',
        to: 'if (record === null)',
      },
    ],
    killer: 'a late renewal, detached',
  },
  {
    name: 'rename on attached renewal',
    mutations: [
      {
        file: holding,
        from: `const { done } = await place.swap({ record: { own: own.bytes } }, change, handle);
        if (!done)
            throw lost(own);
        own.bytes = bytes;
        own.expiresAt = expires;`,
        to: `const renamed = { kind: 'replace', record: change.record, durable: false };
        const { done } = await place.swap({ record: { own: own.bytes } }, renamed, handle);
        if (!done)
            throw lost(own);
        own.bytes = bytes;
        own.expiresAt = expires;`,
      },
    ],
    killer: 'a renewal keeps its holder alive',
  },
  {
    name: 'break without re-read',
    mutations: [
      {
        file: place,
        from: 'expect = expectation(stale);',
        to: "expect = { record: 'anything' };",
      },
    ],
    killer: 'a herd at a stale lease',
  },
  {
    name: 'no guard',
    mutations: [
      {
        file: transaction,
        from: 'lock.flags = request_.flags | LockRequest::sidecar | LockRequest::plain;',
        to: 'lock.flags = request_.flags | LockRequest::sidecar | LockRequest::plain | LockRequest::shared;',
      },
    ],
    killer: 'a herd at a stale lease',
  },
  {
    name: 'no inode check of the record',
    mutations: [
      {
        file: 'native/lock_exports.cc',
        from: 'return call.boolean(named);',
        to: 'return call.boolean(true);',
      },
    ],
    killer: 'an outsider removes the record',
  },
  {
    name: 'no owner check on release',
    mutations: [
      {
        file: 'native/snapshot.cc',
        from: 'return found.record && record::sameIdentity(*found.record, bytes);',
        to: 'return found.record.has_value();',
      },
    ],
    killer: 'a late release, attached',
  },
  {
    name: 'no owner check on release, detached',
    mutations: [
      {
        file: holding,
        from: `const { done, found } = await place.swap({ record: { own: own.bytes } }, change, own.handle);`,
        to: `const { done, found } = await place.swap({ record: 'anything' }, change, own.handle);`,
      },
    ],
    killer: 'a late release, detached',
  },
  {
    name: 'no owner check on renewal, attached',
    mutations: [
      {
        file: 'native/snapshot.cc',
        from: 'return found.record && record::sameIdentity(*found.record, bytes);',
        to: 'return found.record.has_value();',
      },
      {
        file: transaction,
        from: 'if (!record_.own || !fits) return Verdict::conflict;',
        to: '',
      },
    ],
    killer: 'a late renewal, attached',
  },
  {
    name: 'no durable ceiling',
    mutations: [noCeiling],
    killer: 'the sync before the first token',
  },
  {
    name: 'no durable ceiling, and the power goes',
    mutations: [noCeiling],
    killer: 'power cuts',
  },
  {
    name: 'a ceiling of another boot is believed',
    mutations: [
      {
        file: 'native/guard.cc',
        from: 'boot_ == thisBoot() && ',
        to: '',
      },
    ],
    killer: 'another boot',
  },
  {
    name: 'a ceiling on its way to the medium is believed',
    mutations: [
      { file: 'native/guard.cc', from: 'boot_ = 0;\n  if (', to: 'boot_ = boot;\n  if (' },
    ],
    killer: 'a death before the ceiling is synced',
  },
  {
    name: 'coarse ticks, and nobody waits for the end of one',
    mutations: [
      { file: 'native/guard.cc', from: "kTickNs = 16'000;", to: "kTickNs = 16'000'000;" },
      { file: 'native/guard.cc', from: 'while (ticked_ && ', to: 'while (false && ' },
    ],
    killer: 'tokens across a release',
  },
  {
    name: 'no sync of a detached record, and the power goes',
    mutations: [
      {
        file: 'native/exclusive_file.cc',
        from: 'return failure || !wanted.durable ? failure : file.sync();',
        to: 'return failure;',
      },
    ],
    killer: 'power cuts',
  },
  {
    name: 'token in the record only',
    mutations: [
      {
        file: 'native/guard.cc',
        from: 'token = base_ + tick_;\n  if (!needsSync(floor)) {',
        to: 'token = floor + 1;\n  if (ceiling_ != 0) {',
      },
    ],
    killer: 'tokens across a release',
  },
  {
    name: 'unlink of the guard',
    mutations: [
      {
        file: transaction,
        from: 'if (verdict == Verdict::done) guard_.leaveNote(request_.note);',
        to: 'if (verdict == Verdict::done) os::removeFile(guardPath_.c_str());',
      },
    ],
    killer: 'what a release leaves',
  },
  {
    name: 'the record is not locked',
    mutations: [
      {
        file: transaction,
        from: 'const bool locked = request_.attach && request_.change == Change::grant;',
        to: 'const bool locked = false;',
      },
    ],
    killer: 'a holder that lives',
  },
  {
    name: 'late flock: locked after the guard is given back',
    mutations: [
      {
        file: transaction,
        from: 'const bool locked = request_.attach && request_.change == Change::grant;',
        to: 'const bool locked = false;',
      },
      {
        file: transaction,
        from: 'return Step(*this, guard, guardPath).run(live, patient);',
        to: `const Verdict verdict = Step(*this, guard, guardPath).run(live, patient);
  guard.abandon();
  if (verdict == Verdict::done && grants() && request_.attach) {
    os::sleepNs(2000000);
    os::Failure failure;
    const_cast<os::File&>(live.file()).tryLock(false, failure);
  }
  return verdict;`,
      },
    ],
    killer: 'a herd at a stale lease',
  },
  {
    name: 'exclusive waiter instead of a shared one',
    mutations: [
      {
        file: 'native/lock_handle.cc',
        from: 'const os::LockResult result = file_.lock(true, interrupt, failure);',
        to: 'const os::LockResult result = file_.lock(false, interrupt, failure);',
      },
    ],
    killer: 'a waiter that is held up as it wakes',
  },
];
