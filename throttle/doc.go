// SPDX-License-Identifier: Apache-2.0

// Package throttle decides how much background time each CPU gives up while
// memory is slow.
//
// A [Source] counts memory requests and the time they took. A [Meter] turns two
// readings into a [Sample], with the average latency and its health. A [Policy]
// turns a sample into an idle share for each CPU: the share of time in which
// the CPU gives no background time. Foreground time and control domains are not
// affected: the host denies background time only. A [Controller] keeps a policy
// within its bounds.
//
// Nothing here touches a system or reads a clock, except for the time limit of
// a decision. Sources are in the packages below this one.
package throttle
