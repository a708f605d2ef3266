// SPDX-License-Identifier: Apache-2.0

// Package statusline shows what a program is doing: on a terminal in one line that
// changes, elsewhere in one line for each change. The program decides on the text and
// on when it changes.
package statusline
