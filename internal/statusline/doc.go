// SPDX-License-Identifier: Apache-2.0

// Package statusline shows what a program does at the moment: on a terminal in
// one line that changes, elsewhere in a new line each time. The program decides
// what to show, and how often.
package statusline
