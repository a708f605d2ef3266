// SPDX-License-Identifier: Apache-2.0

// Package throttle decides how much background time each CPU gives away while
// memory is slow for everybody.
//
// A [Source] counts memory requests and the time they took; a [Meter] makes of
// two readings a [Sample], with the average latency and with what is known of
// its health; a [Policy] makes of a sample an idle share for each CPU: the share
// of time in which the CPU gives no background time. Foreground time and control
// domains are no concern of a share: whoever carries it out denies background
// only. A [Controller] keeps a policy within its bounds.
//
// Nothing here touches a system or reads a clock, but for the time limit of a
// decision. Sources are the packages below this one.
package throttle
