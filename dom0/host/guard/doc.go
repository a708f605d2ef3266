// SPDX-License-Identifier: Apache-2.0

// Package guard is a process beside a daemon that undoes what the daemon did to
// others when the daemon does not renew a lease in time, is dead, or stopped.
// [Lease] is the daemon's end of it, [Run] the process; what is to be undone is
// the host's.
package guard
