/* The protocol of leases (docs/protocol.md), for SPIN to go through every interleaving of it.
 *
 * Several processes acquire one name, renew, detach and release it, while a SIGKILL strikes any of them
 * between any two steps, the power goes, a TTL runs out, an operator breaks and freezes, and some are
 * stopped for ever. Steps are named as in native/transaction.cc, native/guard.cc,
 * native/exclusive_file.cc, src/store/place.ts, waiting.ts, turnstile.ts and vigil.ts; one line is about
 * one system call.
 *
 * Inodes of records are numbered in the order of their creation; the first inode of a lease is its id.
 * A record's bytes are (id, version); those of one that is not whole are the same for all of them.
 *
 * Bounds, by -D:  N processes, NI inodes of records in all, CRASH kills, CUTS power cuts, BR times that
 *   a TTL runs out under a living holder, FORCE forced breaks, FREEZE freezes, AHEAD tokens a sync
 * Kinds, by -D:   attached without TTL always; LEASE attached with TTL; DETACHED
 *   RENEW also renews and detaches; STOP stops heads of the line and victims of a break for ever
 *   UNPLUG: a cut is that of a disk; the boot and its clock go on
 *
 * What holds (the oracle keeps its own books: `inForce`, `holders`, `maxToken`, `seen`):
 *   - at most one lease is in force: granted, and neither released, broken, expired nor ended by death
 *   - tokens rise, over crashes and power cuts
 *   - a resource that refuses lower tokens than it has seen never goes back
 *   - who releases finds its own record, unless it was broken; nothing is broken before its TTL
 *   - a detached lease that was granted is there after a power cut
 *   - nobody is granted a frozen name
 *   - nobody waits for ever for what can be taken (SPIN: no invalid end state). A timer that finds
 *     nothing to take changes nothing, so here it fires only when there is something.
 *
 * run.sh has the mutants, each of which breaks one of these. */
#ifndef N
#define N 2
#endif
#ifndef NI
#define NI 3
#endif
#ifndef CRASH
#define CRASH 1
#endif
#ifndef CUTS
#define CUTS 0
#endif
#ifndef BR
#define BR 1
#endif
#ifndef FORCE
#define FORCE 0
#endif
#ifndef FREEZE
#define FREEZE 0
#endif
#ifndef AHEAD
#define AHEAD 1
#endif
#define ATT 0 /* attached, without TTL */
#define TTL 1 /* attached, with TTL */
#define DET 2 /* detached */
#define OPERATOR (N + 1)

byte guard;                          /* who has locked NAME.guard */
byte queue;                          /* who has locked NAME.queue */
bit queued;                          /* NAME.queue exists */
byte ceiling, dceiling;              /* in the guard: in the cache, on the medium */
short base, dbase;
byte gboot, dgboot;                  /* whose clock that is; 0: nobody's */
byte boot = 1, clock = 1;            /* this boot, and the ticks since */
byte path, dpath;                    /* the inode that NAME.lock names; 0: none */
byte made;                           /* inodes of records that were created */
bit whole[NI + 1], dwhole[NI + 1];
byte id[NI + 1], kind[NI + 1], token[NI + 1];
bit version[NI + 1];
byte lock[NI + 1];                   /* who has the exclusive lock on it */
bit over[NI + 1];                    /* its TTL is */
bit frozen;

bit inForce[NI + 1], answered[NI + 1]; /* by id; answered: as a detached lease */
byte owner[NI + 1];                  /* by id; 0: dead */
byte holders, maxToken, seen, crashes, cuts, expiries, breaks, freezes;
bit dead[N];

#define ID(i) (whole[i] -> id[i] : NI + 1)
#define VERSION(i) (whole[i] -> version[i] : 0)
#define HOLDERLESS(i) (lock[i] == 0 && (!whole[i] || kind[i] != DET))
#define EXPIRED(i) (whole[i] && kind[i] != ATT && over[i])
#define FREE (path == 0 || HOLDERLESS(path) || EXPIRED(path))
#define TAKEABLE (!frozen && FREE)

#ifdef NOGUARD
#define LOCKGUARD skip
#define UNLOCKGUARD skip
#else
#define LOCKGUARD atomic { guard == 0 -> guard = me + 1 }
#define UNLOCKGUARD guard = 0
#endif

#define MOVE(to) if :: queue == me + 1 -> queue = 0 :: else fi; goto to

inline endLease(i) {
  if :: inForce[i] -> inForce[i] = 0; holders-- :: else fi
}

/* Guard::nextToken: what the clock of this boot says, or above everything that is known. */
inline nextToken() {
#ifdef TOKENINRECORD
  t = floor + 1;
#else
  t = base + clock;
  if
#ifdef TRUSTBOOT
  :: gboot != 0 && base + clock <= ceiling && ceiling - t <= AHEAD && t > floor
#else
  :: gboot == boot && base + clock <= ceiling && ceiling - t <= AHEAD && t > floor
#endif
  :: else ->
     atomic { t = (ceiling > floor -> ceiling : floor) + 1;
              ceiling = t + AHEAD; base = t - clock;          /* store */
#ifdef EARLYBOOT
              gboot = boot };
#else
              gboot = 0 };
#endif
#ifndef NOSYNC
     atomic { dceiling = ceiling; dbase = base; dgboot = gboot }; /* sync */
#endif
     gboot = boot                                             /* store */
  fi;
#endif
}

/* fill() of native/exclusive_file.cc, for the inode `new` */
inline fill(holderOf, sync) {
#if !defined(LATELOCK) && !defined(NOLOCK)
  if :: holderOf != 0 -> lock[new] = holderOf :: else fi;
#endif
  whole[new] = 1;
#ifndef NOFSYNC
  if :: sync -> dwhole[new] = 1 :: else fi;
#endif
  skip
}

inline syncDirectory(sync) {
#ifndef NODIRSYNC
  if :: sync -> dpath = path :: else fi;
#endif
  skip
}

/* Another inode for one's own lease: a renewal of a detached one, a detach. */
inline replace(k) {
  atomic { made++; new = made; id[new] = my; token[new] = t; kind[new] = k; owner[my] = me + 1;
           version[new] = 1 };
  fill(0, 1);
  path = new;                                                 /* renameFile */
  syncDirectory(1);
  atomic { if :: k == DET -> answered[my] = 1 :: else fi; ino = new; new = 0 }
}

proctype Process(byte me) {
  byte ino, my, t, new;              /* the lease that is held: inode, id, token */
  byte expected, expectedVersion;    /* the record's bytes; 0: absent, NI + 1: not whole */
  bit expectedDead, expectedFreeze;
  byte waited;                       /* the inode whose end is waited for */
  bit head, awake;
  byte floor;                        /* the token of the record that stands there */
start:
  {
    skip;
acquire:                             /* waitForGrant */
    if
    :: !queued -> goto attempt
    :: queued
    fi;
line:
    if
    :: made == NI -> goto done
#ifndef NOLINE
    :: atomic { queue == 0 -> queue = me + 1; queued = 1; head = 1 }; /* pass */
#ifdef STOP
       if :: true -> end_head: false :: true fi;
#endif
       skip
#ifndef NORESCUE
    :: queue != 0 && TAKEABLE        /* rescue */
#endif
#else
    :: TAKEABLE
#endif
    fi;

attempt:
    atomic { expected = 0; expectedVersion = 0; expectedDead = 0; expectedFreeze = 0 };
again:
    LOCKGUARD;
    atomic {
      if
      :: made == NI -> UNLOCKGUARD; MOVE(done)
      :: else
      fi;
      if
#ifdef NOEXPECT
      :: awake || expected != 0 -> awake = 1
#endif
#ifdef JUDGEWAITED
      :: awake
#endif
#ifdef NOFREEZE
      :: path == 0 && expected == 0
#endif
      :: frozen == expectedFreeze &&
         (path == 0 -> expected == 0 : expected == ID(path) && expectedVersion == VERSION(path)) &&
         (!expectedDead || lock[path] == 0)
      :: else ->                     /* conflict: judge what is there */
         if
         :: !TAKEABLE -> awake = 0; expectedDead = 0; UNLOCKGUARD; goto held
         :: else ->
            expected = (path == 0 -> 0 : ID(path));
            expectedVersion = (path == 0 -> 0 : VERSION(path));
            expectedDead = path != 0 && HOLDERLESS(path);
            expectedFreeze = frozen;
            UNLOCKGUARD;
            goto again
         fi
      fi
    };
    /* grant, under the guard */
    atomic { if :: path != 0 && whole[path] -> floor = token[path] :: else fi }; /* tokenOf */
    nextToken();
    atomic {
#ifdef NOGUARD
      if :: made == NI || (expected == 0 && path != 0) -> goto acquire /* EEXIST */
         :: else
      fi;
#endif
      made++;
      new = made;
      id[new] = new; token[new] = t; owner[new] = me + 1; my = new;
      if
      :: kind[new] = ATT
#ifdef LEASE
      :: kind[new] = TTL
#endif
#ifdef DETACHED
      :: kind[new] = DET
#endif
      fi;
      expected = path;
      if :: path == 0 -> path = new :: else fi                /* create: O_CREAT|O_EXCL */
    };
    fill((kind[new] == DET -> 0 : me + 1), kind[new] == DET);
    atomic {
      if
      :: expected != 0 && path != new ->                      /* renameFile, in place of another */
         if
         :: path != 0 ->
            assert(!inForce[id[path]] || over[path]);         /* nobody's lease is broken early */
            endLease(id[path])
         :: else
         fi;
         path = new
      :: else
      fi
    };
    syncDirectory(kind[new] == DET);
    atomic {
      ino = new; new = 0; floor = 0;
      assert(t > maxToken); maxToken = t;
      assert(!frozen);
      inForce[my] = 1; holders++; assert(holders <= 1);
      answered[my] = kind[ino] == DET;
      expected = 0; expectedVersion = 0; expectedDead = 0; expectedFreeze = 0; awake = 0
    };
#ifndef NOTICK
    clock++;                                                  /* passTick */
#endif
    UNLOCKGUARD;
#ifdef LATELOCK
    if :: kind[ino] != DET -> lock[ino] = me + 1 :: else fi;
#endif
    atomic { if :: queue == me + 1 -> queue = 0 :: else fi; head = 0 }; /* leave */
    goto use;

held:
    if :: !head -> goto line :: else fi;
    /* Vigil.sleep: the record is opened under the guard, and its holder's end is waited for */
    LOCKGUARD;
    atomic { if :: path != 0 && lock[path] != 0 -> waited = path :: else fi };
    UNLOCKGUARD;
    if
    :: atomic { waited != 0 && lock[waited] == 0 ->           /* LOCK_SH */
#ifdef EXCLUSIVEWAIT
         lock[waited] = me + 1;
#endif
#ifdef JUDGEWAITED
         awake = 1;
#endif
         skip };
#ifdef STOP
       if :: true -> end_waiter: false :: true fi;
#endif
       skip
#ifdef NOLOOK
    :: waited == 0 && TAKEABLE
#else
    :: TAKEABLE                      /* the look once a second; the end of a TTL; a hint */
#endif
    :: made == NI
    fi;
    atomic { if :: lock[waited] == me + 1 -> lock[waited] = 0 :: else fi; waited = 0 };
    goto attempt;

use:                                 /* once, after any delay */
#ifdef NOFENCE
    atomic { assert(t >= seen); seen = t };
#else
    atomic { if :: t >= seen -> seen = t :: else fi };
#endif
#ifdef STOP
    if :: !inForce[my] -> end_victim: false :: true fi;
#endif
#ifdef RENEW
    if
    :: kind[ino] == TTL ->           /* renew, attached: in place */
       LOCKGUARD;
       if
       :: path != ino                /* lost */
       :: else ->
#ifdef RENAMERENEW
          if :: made < NI -> replace(TTL) :: else fi;
#else
          whole[ino] = 0;
          atomic { whole[ino] = 1; version[ino] = 1; over[ino] = 0 };
#endif
          skip
       fi;
       UNLOCKGUARD
    :: kind[ino] == DET || kind[ino] == TTL -> /* renew, detached, or detach: by another file */
       LOCKGUARD;
       if
       :: path != 0 && ID(path) == my && made < NI ->
          new = ino;
#ifdef TORNRENEW
          whole[ino] = 0; whole[ino] = 1;
#else
          waited = ino;
          replace(DET);
#endif
          skip
       :: else
       fi;
       UNLOCKGUARD;
       atomic { new = 0; if :: lock[waited] == me + 1 -> lock[waited] = 0 :: else fi; waited = 0 }
    :: true
    fi;
#endif
    LOCKGUARD;                       /* release: remove */
    atomic {
      assert(!inForce[my] || (path != 0 && id[path] == my));
#ifdef NOOWNER
      path = 0;
#else
      if :: path != 0 && ID(path) == my -> path = 0 :: else fi;
#endif
      endLease(my)
    };
    syncDirectory(answered[my]);
    UNLOCKGUARD;
    atomic { if :: lock[ino] == me + 1 -> lock[ino] = 0 :: else fi; ino = 0; my = 0; t = 0 };
    goto acquire
  } unless {
    atomic { dead[me] ->
      dead[me] = 0; ino = 0; my = 0; t = 0; new = 0; expected = 0; expectedVersion = 0;
      expectedDead = 0; expectedFreeze = 0; waited = 0; head = 0; awake = 0; floor = 0 }
  };
  goto start;
done:
  skip
}

/* What the kernel does when a process dies. */
inline reap(p) {
  if :: guard == p + 1 -> guard = 0 :: else fi;
  if :: queue == p + 1 -> queue = 0 :: else fi;
  for (i : 1 .. NI) {
    if :: lock[i] == p + 1 -> lock[i] = 0 :: else fi;
    if
    :: owner[i] == p + 1 ->
       owner[i] = 0;
       if :: !answered[i] -> endLease(i) :: else fi
    :: else
    fi
  }
  i = 0;
  dead[p] = 1
}

proctype Fate() {
  byte i, p;
  do
  :: atomic { crashes < CRASH -> crashes++;
       p = 0;
       do :: p < N - 1 -> p++ :: break od;
       if :: !dead[p] -> reap(p) :: else fi;
       p = 0 }
#if CUTS > 0
  :: atomic { cuts < CUTS && dpath != path -> dpath = path }  /* written back unasked */
  :: atomic { cuts < CUTS -> cuts++;
       p = 0;
       do :: p < N -> reap(p); p++ :: else -> break od;
       p = 0;
       if :: path = dpath :: dpath = path fi;
       if :: ceiling = dceiling; base = dbase; gboot = dgboot
          :: dceiling = ceiling; dbase = base; dgboot = gboot fi;
#ifdef UNPLUG
       clock++;                      /* to be plugged in again takes longer than a tick */
#else
       boot++;
       if :: clock = 1 :: clock = 2 :: clock = 3 fi;
#endif
       if :: whole[path] = dwhole[path] :: dwhole[path] = whole[path] fi;
       for (i : 1 .. NI) {
         assert(!inForce[i] || (path != 0 && id[path] == i && whole[path]))
       }
       i = 0 }
#endif
  :: break
  od
}

/* A TTL runs out: now and then under a living holder, and always under one that is dead. */
proctype Clock() {
end:
  do
  :: atomic { path != 0 && kind[path] != ATT && !over[path] && owner[id[path]] == 0 -> over[path] = 1 }
  :: atomic { path != 0 && kind[path] != ATT && !over[path] && expiries < BR -> expiries++; over[path] = 1 }
  od
}

/* Breaks by force whatever is there; freezes and thaws. */
proctype Operator() {
  byte judged;
  bit judgedVersion;
  do
  :: breaks < FORCE ->
     breaks++;
     atomic { guard == 0 -> guard = OPERATOR };
     atomic { judged = (path == 0 -> 0 : ID(path)); judgedVersion = (path == 0 -> 0 : VERSION(path)) };
     guard = 0;
     atomic { guard == 0 -> guard = OPERATOR };
     atomic {
       if
       :: path != 0 && judged == ID(path) && judgedVersion == VERSION(path) ->
          endLease(id[path]); path = 0
       :: else
       fi;
       judged = 0; judgedVersion = 0 };
     guard = 0
  :: freezes < FREEZE ->
     freezes++;
     atomic { guard == 0 -> guard = OPERATOR };
     frozen = 1;
     guard = 0;
     atomic { guard == 0 -> guard = OPERATOR };
     frozen = 0;
     guard = 0
  :: break
  od
}

init {
  atomic {
    run Process(0);
    run Process(1);
#if N > 2
    run Process(2);
#endif
#if CRASH + CUTS > 0
    run Fate();
#endif
#if FORCE + FREEZE > 0
    run Operator();
#endif
#if defined(LEASE) || defined(DETACHED)
    run Clock();
#endif
    skip
  }
}
