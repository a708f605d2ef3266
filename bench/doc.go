// SPDX-License-Identifier: Apache-2.0

// Package bench has what the experiments share: the record that each of them
// appends to out/bench.jsonl, the table of all records, and statistics that
// suit noisy machines.
//
// It is for this project's own figures (cmd/vlibbench). Each is a ratio of two
// things measured in the same run, with the raw numbers beside it. It is not
// for tests: a missed target is printed and fails nothing.
package bench
