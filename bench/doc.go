// SPDX-License-Identifier: Apache-2.0

// Package bench is what the experiments share: the record that each of them
// appends to out/bench.jsonl, the table of all records, and the statistics
// for machines that are never quiet.
//
// It is for this project's own figures (cmd/vlibbench), each of them a ratio
// of two things measured in the same run, with the raw numbers beside it. It
// is not for tests: a missed target is printed, and fails nothing.
package bench
