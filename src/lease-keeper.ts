/**
 * Keeps a lease that was granted: renews it, notices its loss, gives it back.
 *
 * It is renewed at a third of its TTL, one renewal in flight. Its loss is noticed by a refused
 * renewal, by the look once a second, or when somebody asks. Lost means that somebody was granted the
 * name or broke the lease. A renewal that merely comes late revives it, where the store can do that;
 * else it is over at the deadline that its holder computed: the time before the last renewal was sent,
 * by a clock that nobody sets, and the TTL, less a margin for clocks that do not run alike.
 * What is asked of the store goes one after the other, for all of it works on the same open file.
 */
import { maxDelay } from './abort.js';
import { Deadline } from './deadline.js';
import { isLoss, LockError } from './errors.js';
import { leaseEvent, lostChannel, releaseChannel, renewChannel } from './events.js';
import type { LeaseEvent } from './events.js';
import { unwatch, watch } from './lease-watch.js';
import type { Grant, LeaseStore } from './store/store.js';
import { Turns } from './turns.js';

/** After a renewal that failed for a reason that may pass. */
const shortestRetryMs = 50;

/** What a keeper needs of its `Leases`. */
export interface KeeperContext {
  readonly store: LeaseStore;
  /** Milliseconds; the clock that the TTLs of such leases are measured by. */
  readonly now: (detached: boolean) => number;
}

export class LeaseKeeper {
  /** It was detached on purpose: the end of its scope is not its end. */
  letGo = false;
  readonly #store: LeaseStore;
  readonly #now: KeeperContext['now'];
  readonly #renews: boolean;
  /** Who acts: of an adopted lease not who was granted it. */
  readonly #by: string;
  #grant: Grant;
  #state: 'held' | 'released' | 'lost' = 'held';
  readonly #deadline: Deadline;
  #timer: NodeJS.Timeout | undefined;
  #controller: AbortController | undefined;
  #loss: LockError | undefined;
  readonly #turns = new Turns();
  #renewal: Promise<void> | undefined;
  #ending: Promise<'released' | 'lost'> | undefined;

  constructor({ store, now }: KeeperContext, grant: Grant, renews: boolean, by = grant.owner) {
    this.#store = store;
    this.#now = now;
    this.#grant = grant;
    this.#by = by;
    this.#renews = renews && !grant.detached && grant.ttl !== null;
    const clock = (): number => now(this.#grant.detached);
    this.#deadline = new Deadline(clock, () => this.#lose());
    this.#setDeadline(grant.since, grant.ttl);
    if (!grant.detached) watch(this);
    this.#schedule();
  }

  get grant(): Grant {
    return this.#grant;
  }

  get held(): boolean {
    return this.#state === 'held' && this.#ending === undefined;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#loss !== undefined) this.#controller.abort(this.#loss);
    return this.#controller.signal;
  }

  get descriptor(): number | undefined {
    return this.held ? this.#store.descriptor?.(this.#grant) : undefined;
  }

  /** Whoever asks while a renewal is in flight gets that one's answer. */
  renew(): Promise<void> {
    this.#renewal ??= this.#inTurn(() => this.#renewOnce()).finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  assertHeld(): void {
    this.#checkState();
    const now = this.#now(this.#grant.detached);
    const late = this.#deadline.over;
    if (this.#deadline.ended) throw this.#lose();
    if (late && this.#turns.last !== undefined)
      throw this.#error('ERR_LOCK_BUSY', 'is being renewed');
    if (late) {
      const renewed = this.#store.renewNow?.(this.#grant);
      if (renewed === false) throw this.#lose();
      if (renewed === true) {
        this.#setDeadline(now, this.#grant.ttl);
        this.#publishRenewal();
        return;
      }
    }
    const still = this.#store.look?.(this.#grant);
    if (still === false && this.#turns.last === undefined) throw this.#lose();
    if (late) throw this.#error('ERR_LOCK_LOST', 'is past its TTL; a renewal may revive it');
    // Not ours while a transaction is under way: it may be that one's doing, or a loss.
    if (still !== true && this.#store.look !== undefined) {
      throw this.#error('ERR_LOCK_BUSY', 'cannot be looked at now');
    }
  }

  detach(ttl: number): Promise<void> {
    return this.#inTurn(async () => {
      const { detached } = this.#grant;
      const grant = await this.#store.detach(this.#grant, ttl);
      if (this.#state === 'lost') {
        // Its deadline came before the answer, and that was told. Nobody would know of what was detached.
        this.#store.release(grant).catch(() => undefined);
        throw this.#lose();
      }
      this.#grant = grant;
      this.#stop();
      this.letGo = true;
      this.#setDeadline(this.#grant.since, this.#grant.ttl);
      this.#publishRenewal(detached ? undefined : { detaching: true });
    });
  }

  release(): Promise<'released' | 'lost'> {
    this.#ending ??= this.#end().catch((error: unknown) => {
      this.#ending = undefined;
      throw error;
    });
    return this.#ending;
  }

  /** Once a second. */
  lookAfter(): void {
    if (this.#state !== 'held') return;
    // The timer does not count what the machine has slept.
    if (this.#deadline.ended) this.#lose();
    // While a transaction is under way the name may name another file that is ours as well.
    if (this.#turns.last !== undefined) return;
    if (this.#store.look?.(this.#grant) === false) this.#lose();
  }

  /** Runs it when all before it is done, if the lease is still held then. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      this.#checkState();
      try {
        return await work();
      } catch (error) {
        if (isLoss(error)) throw this.#lose();
        throw error;
      }
    });
  }

  async #renewOnce(): Promise<void> {
    const since = this.#now(this.#grant.detached);
    try {
      const ttl = await this.#store.renew(this.#grant);
      if (this.#state === 'lost') throw this.#lose(); // while it was under way
      this.#setDeadline(since, ttl);
    } catch (error) {
      if (!isLoss(error)) this.#publishRenewal({ error }); // a loss is told of as such
      throw error;
    }
    this.#publishRenewal();
    this.#schedule();
  }

  async #end(): Promise<'released' | 'lost'> {
    this.#stop();
    await this.#turns.last?.catch(() => undefined);
    if (this.#state === 'lost') return 'lost';
    this.#state = 'released';
    if (await this.#store.release(this.#grant)) {
      if (releaseChannel.hasSubscribers) releaseChannel.publish(this.#event());
      return 'released';
    }
    this.#state = 'held';
    this.#lose();
    return 'lost';
  }

  /** It is somebody else's. Returns why, to be thrown. */
  #lose(): LockError {
    if (this.#state !== 'held') return this.#loss ?? this.#error('ERR_LOCK_LOST', 'was released');
    this.#state = 'lost';
    this.#stop();
    const why = this.#deadline.ended ? 'not renewed in time' : 'somebody broke it, or took it over';
    this.#loss = this.#error('ERR_LOCK_LOST', `was lost: ${why}`);
    const close = (): void => {
      this.#store.forget(this.#grant);
    };
    if (this.#turns.last === undefined) close();
    else this.#turns.last.then(close, close);
    if (lostChannel.hasSubscribers) lostChannel.publish(this.#event());
    this.#controller?.abort(this.#loss);
    return this.#loss;
  }

  #checkState(): void {
    if (this.#state === 'lost') throw this.#lose();
    if (!this.held) throw this.#error('ERR_LOCK_LOST', 'was released');
  }

  /** It is final where nothing revives; but a detached one others may have renewed. */
  #setDeadline(since: number, ttl: number | null): void {
    const { revives } = this.#store.capabilities;
    this.#deadline.set(since, ttl, !revives && !this.#grant.detached);
    if (!this.held) this.#deadline.stop();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#deadline.stop();
    unwatch(this);
  }

  #schedule(delay = (this.#grant.ttl ?? 0) / 3): void {
    if (!this.#renews || this.#grant.detached || !this.held) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#renewQuietly(), Math.min(delay, maxDelay)).unref();
  }

  /** From the timer: nothing is thrown, and it goes on. */
  async #renewQuietly(): Promise<void> {
    try {
      await this.renew();
    } catch {
      if (this.#state !== 'held') return;
      this.#schedule(Math.max(shortestRetryMs, (this.#grant.ttl ?? 0) / 10));
    }
  }

  #publishRenewal(more?: Pick<LeaseEvent, 'error' | 'detaching'>): void {
    if (renewChannel.hasSubscribers) renewChannel.publish({ ...this.#event(), ...more });
  }

  #event(): LeaseEvent {
    return leaseEvent(this.#store, this.#grant, this.#by);
  }

  #error(code: 'ERR_LOCK_LOST' | 'ERR_LOCK_BUSY', what: string): LockError {
    return new LockError(code, `the lease ${this.#grant.name} ${what}`);
  }
}
