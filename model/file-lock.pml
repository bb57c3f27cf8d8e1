/* A file lock (native/lock_handle.cc): the kernel lock on a permanent sidecar. Nobody here removes the
 * sidecar; an outsider may, who waits for nobody. The look at the path after the lock then sends everyone
 * to the new file, but it cannot tell a holder that was granted before.
 *
 *   UNLINK   holders remove the sidecar while they hold it; the look makes up for that
 *   OUTSIDER somebody else removes it at any moment: two holders, of whom one is told by assertHeld()
 *   NOLOOK   mutant: no look at the path after the lock
 *
 * What holds: at most one holder who would be told that it holds. */
#ifndef N
#define N 3
#endif
#define NI 4

byte path = 1, made = 1, holders;
byte lock[NI + 1];

proctype Process(byte me) {
  byte file;
acquire:
  atomic {                            /* open, or create */
    if
    :: path == 0 && made < NI -> made++; path = made
    :: path == 0 && made == NI -> goto done
    :: else
    fi;
    file = path
  };
  if
  :: atomic { lock[file] == 0 -> lock[file] = me + 1 } /* flock */
  :: goto done
  fi;
#ifndef NOLOOK
  if
  :: path != file -> atomic { lock[file] = 0; file = 0 }; goto acquire
  :: else
  fi;
#endif
  atomic { holders++; assert(holders <= 1) };
  holders--;
#ifdef UNLINK
  path = 0;
#endif
  atomic { lock[file] = 0; file = 0 }; /* LOCK_UN, or death */
  goto acquire;
done:
  skip
}

#ifdef OUTSIDER
active proctype Outsider() {
  if
  :: path = 0
  :: skip
  fi
}
#endif

init {
  atomic {
    run Process(0);
    run Process(1);
#if N > 2
    run Process(2);
#endif
    skip
  }
}
