// SPDX-License-Identifier: Apache-2.0

// Package tail measures a service that must answer in time (memcached) beside
// batch jobs, on processes of this machine: the latency of its answers, and the
// work of the jobs.
//
// The load is open: requests are due at random moments, whatever happens to the
// earlier ones, and a latency begins when the request was due. So it includes
// the generator's own delay and the time in which the service stands still.
package tail
