// SPDX-License-Identifier: Apache-2.0

// Package report turns the records of bench into one HTML file that needs no
// network, and into a summary for the terminal.
//
// It is for somebody who has never seen this project: each figure says in
// words what was done, what it means, what the paper measured, and which
// command does it again. What was not measured is said to be so. It runs no
// experiment, and keeps none of the machine's secrets: what is in it is in the
// records.
package report
