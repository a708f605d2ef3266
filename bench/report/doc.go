// SPDX-License-Identifier: Apache-2.0

// Package report turns the records of bench into one HTML file that needs no
// network, and into a summary for the terminal.
//
// It is for readers who do not know this project: each figure says in words what
// was done, what it means, what the paper measured, and which command repeats
// it. The report names what has not been measured. It runs no experiment, and
// contains nothing of the machine but the records.
package report
