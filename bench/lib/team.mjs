/** Several processes of one contender, or of the floor, that are asked at the same time. */
import { startContender, startFloor } from './child.mjs';
import { withProcesses } from './rounds.mjs';

/**
 * Starts so many processes, lets `use(ask)` ask them, and stops them. `ask(request, limitMs)` resolves
 * to all their answers. They live for one round: a hundred that sit there idle would not fit.
 */
export function withTeam(count, start, use) {
  return withProcesses(async (keep) => {
    const team = await Promise.all(Array.from({ length: count }, () => keep(start())));
    return use((request, limitMs) =>
      Promise.all(team.map((process) => process.ask(request, limitMs))),
    );
  });
}

/** Of each contender, and of the floor: how to start a process, and how to put a request to it. */
export function teamsOf(child, contenders, floorMode, { floor, file }, ...rest) {
  const teams = contenders.map((contender) => ({
    contender: contender.name,
    excludes: contender.can.excludes,
    path: file(contender.name),
    request: (fields) => fields,
    start() {
      return startContender(child, contender, this.path, ...rest);
    },
  }));
  if (floor === null) return teams;
  return [
    {
      contender: 'C',
      excludes: true,
      path: file('floor'),
      request: (fields) => Object.values(fields),
      start() {
        return startFloor(floor, floorMode, this.path, ...rest);
      },
    },
    ...teams,
  ];
}
