/**
 * Since when a file has been seen unchanged. Where no clock of the record can be compared with ours,
 * whoever has seen it so for a whole TTL has seen it go unrenewed.
 */
interface Sighting {
  readonly bytes: Buffer;
  readonly sinceMs: number;
}

/** More names than anybody watches at a time; a forgotten one is watched anew. */
const capacity = 1024;

export class Sightings {
  readonly #seen = new Map<string, Sighting>();

  /** Notes what is there now (by one's own monotonic clock), and since when it has been so. */
  since(path: string, bytes: Buffer | null, nowMs: number): number | undefined {
    const last = this.#seen.get(path);
    this.#seen.delete(path);
    if (bytes === null) return undefined;
    const unchanged = last?.bytes.equals(bytes) === true;
    const sighting = unchanged ? last : { bytes, sinceMs: nowMs };
    this.#seen.set(path, sighting); // at the end: the first one was not looked at for the longest time
    if (this.#seen.size > capacity) {
      const [oldest = ''] = this.#seen.keys();
      this.#seen.delete(oldest);
    }
    return sighting.sinceMs;
  }
}
