// SPDX-License-Identifier: Apache-2.0

// Package top shows, again and again, who uses a host's CPU time and what calls
// cost. [Compare] makes of two looks at a master what happened between them,
// [Frame.Lines] makes text of that; both are pure. [Run] is the live display on
// a terminal.
//
// Names of domains are their own choice: they reach the terminal without
// control characters.
package top
