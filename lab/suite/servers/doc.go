// SPDX-License-Identifier: Apache-2.0

// Package servers has tests of reservations with several servers, on a machine
// with five CPUs in counted mode: Dom0 has the first, and five DomUs with four
// vCPUs each share the others.
package servers
