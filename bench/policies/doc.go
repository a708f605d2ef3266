// SPDX-License-Identifier: Apache-2.0

// Package policies measures what a domain that streams through memory does to
// a program on another CPU of this machine, and what the throttle makes of it:
// the program's median and 99th percentile alone, beside the domain without
// control, and under each policy at several settings, with how much of the
// domain's work is kept.
//
// It is in real time, on native processes, with the control loop and the
// host that the master uses. The machine may be busy: all settings are
// interleaved, and figures are medians of ratios to the same round's alone.
package policies
