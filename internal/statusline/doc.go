// SPDX-License-Identifier: Apache-2.0

// Package statusline says what a program does now: on a terminal in one line
// that changes, elsewhere a line each time. What is said, and how often, is the
// program's.
package statusline
