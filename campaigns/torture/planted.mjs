// Faults that the oracle has to notice, or its silence proves nothing.
import { setTimeout as sleep } from 'node:timers/promises';

import { brokenPackage } from '../campaign.mjs';
import { kill, killCrowd } from './arena.mjs';
import { readBook } from './book.mjs';

const plantedMs = 30_000;

const faults = [
  {
    what: 'no guard',
    file: 'transaction.cc',
    from: 'lock.flags = request_.flags | LockRequest::sidecar | LockRequest::plain;',
    to: 'lock.flags = request_.flags | LockRequest::sidecar | LockRequest::plain | LockRequest::shared;',
  },
  {
    what: 'the record is not locked',
    file: 'transaction.cc',
    from: 'const bool locked = request_.attach && request_.change == Change::grant;',
    to: 'const bool locked = false;',
  },
  {
    what: 'a tick of 16 ms, and nobody waits for its end',
    file: 'guard.cc',
    from: 'return os::boottimeNs() / kTickNs;',
    to: 'static std::uint64_t odd = 0; return os::boottimeNs() / (kTickNs * 1000) * 2 + odd++ % 2;',
  },
  {
    what: 'the inode is not looked at again',
    file: 'lock_handle.cc',
    from: 'if (!failure && named.id == id_) {',
    to: 'if (named.id == id_ || true) {',
  },
  {
    what: 'a lock that was refused counts as granted',
    file: 'posix/os.cc',
    from: 'if (errno == EWOULDBLOCK) return LockResult::busy;',
    to: 'if (errno == EWOULDBLOCK) return LockResult::granted;',
  },
];

/** And one for Node: a holder that lives is robbed. */
const robbery = {
  what: 'a holder that lives counts as expired',
  file: 'lib/staleness.js',
  from: "['attached', 'alive', '*', '*', 'held', 'holder alive'],",
  to: "['attached', 'alive', '*', '*', 'expired', 'ttl over'],",
};

/** Is the fault noticed? `start` starts who has it, and answers what ends them. */
async function noticed(what, newArena, start) {
  const arena = newArena();
  const until = performance.now() + plantedMs;
  try {
    const end = await start(arena);
    let book;
    do {
      await sleep(50);
      book = readBook(arena.book);
    } while (book.overlaps + book.regressions === 0 && performance.now() < until);
    await end();
    const { overlaps, regressions, acquisitions } = book;
    const caught = overlaps + regressions > 0;
    console.log(
      `${what}: ${caught ? 'caught' : 'NOT caught'} after ${acquisitions} acquisitions, ` +
        `${overlaps} overlaps, ${regressions} tokens not above the last`,
    );
    return caught;
  } finally {
    arena.remove();
  }
}

/** Tries them all, in arenas of their own. False: one went unnoticed. */
export async function allNoticed(workshop, newArena) {
  let caught = true;
  for (const fault of faults) {
    const program = await workshop.crowd(fault.what.replaceAll(/\W/g, '-'), fault);
    const start = (arena) => {
      const crowd = arena.startCrowd(program, 'ignore');
      return () => killCrowd(crowd, arena);
    };
    caught = (await noticed(fault.what, newArena, start)) && caught;
  }
  const broken = brokenPackage(robbery);
  const start = (arena) => {
    const crew = [1, 2].map(() => arena.startMember(workshop.witness, broken.root, 'ignore'));
    return () => Promise.all(crew.map(kill));
  };
  try {
    return (await noticed(robbery.what, newArena, start)) && caught;
  } finally {
    broken.remove();
  }
}
