// Children that die with us.
//
// Windows takes the locks of a dead process away, whatever its children have inherited. So that no
// successor runs beside an orphan, the orphan must not be: children are put into a job object, of
// which we have the only handle, and which kills all that are in it when that handle is closed. The
// system closes it when we die, however that happens (JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE).
//
// What the child starts is in the job as well, except for what it started before it was put there.
// libuv has a job of its own for children, but lets theirs break away.
#include "error.h"

namespace holdfast::os {
namespace {

Failure limitJob(HANDLE job, DWORD flags) {
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {};
  limits.BasicLimitInformation.LimitFlags = flags;
  const bool done = SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits,
                                            sizeof limits) != FALSE;
  return done ? Failure{} : lastFailure("SetInformationJobObject");
}

// Made once, and never closed: that is the point of it. Workers may come here at the same time.
HANDLE theJob() {
  static const HANDLE job = CreateJobObjectW(nullptr, nullptr);
  return job;
}

}  // namespace

Failure dieWithUs(int pid) {
  const HANDLE job = theJob();
  if (job == nullptr) return {ENOMEM, "CreateJobObjectW"};
  if (const Failure failure = limitJob(job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)) return failure;
  const Handle process(
      OpenProcess(PROCESS_SET_QUOTA | PROCESS_TERMINATE, FALSE, static_cast<DWORD>(pid)));
  if (!process) return lastFailure("OpenProcess");
  if (!AssignProcessToJobObject(job, process.get())) return lastFailure("AssignProcessToJobObject");
  return {};
}

Failure outliveUs() {
  const HANDLE job = theJob();
  return job == nullptr ? Failure{} : limitJob(job, 0);
}

}  // namespace holdfast::os
