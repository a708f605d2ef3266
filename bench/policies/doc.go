// SPDX-License-Identifier: Apache-2.0

// Package policies measures how a domain that streams through memory slows down
// a program on another CPU of this machine, and what each throttle policy
// changes. It measures the program's median and 99th percentile alone, beside
// the domain without control, and under each policy at several settings, and how
// much of the domain's work is done.
//
// It runs in real time, on native processes, with the daemon's own control loop
// and host. The machine may be busy: all settings are interleaved, and each
// figure is a median of ratios to the program alone in the same round.
package policies
