// SPDX-License-Identifier: Apache-2.0

// Package top shows which domains use a host's CPU time and what calls cost, and
// refreshes that. [Compare] makes a [Frame] from two samples of the master, and
// [Frame.Text] prints it; both are pure. [Run] is the live display on a terminal,
// which package bubbletea controls.
//
// A domain chooses its own name. Names reach the terminal without control
// characters.
package top
