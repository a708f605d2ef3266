// SPDX-License-Identifier: Apache-2.0

// Package simulated measures the latency of a service beside batch jobs on a simulated
// memory bus (throttle/bussim), alone, uncontrolled and under each control. What a request
// of the service does was recorded from a real memcached ([recordedTurns], [recordedCPU]).
//
// It shows what a control does to the tail where nothing but memory delays the service:
// no scheduler, no other program and no noise. It is for comparing policies. Its figures
// are not those of a real machine, and its bus has no cache.
package simulated
