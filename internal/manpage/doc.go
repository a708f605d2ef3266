// SPDX-License-Identifier: Apache-2.0

// Package manpage writes manual pages in troff from the help of a program. A
// page is the text that --help prints, so the two cannot differ. It is for the
// programs that have a page; it supports urfave/cli's commands and flags.
//
// The help is plain text with three conventions, which [Page] reads: a line in
// capitals is the heading of a section, an indented line is an example and is
// shown unchanged, and everything else is paragraphs.
package manpage
