// SPDX-License-Identifier: Apache-2.0

// Package tail measures a service that must answer in time (memcached) beside
// jobs that are in no hurry, on processes of this machine: how late its answers
// are, and what the jobs get done.
//
// The load is open: requests are due at random moments whatever became of those
// before, and a latency runs from the moment a request was due. So neither the
// generator's lateness nor a service that stands still hides anything.
package tail
