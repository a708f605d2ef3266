// SPDX-License-Identifier: Apache-2.0

// Package manpage writes manual pages in troff from the help of a program: a
// page is the text that --help prints, so the two cannot differ. It is for the
// programs that have a page; it knows urfave/cli's commands and flags.
//
// The help is plain text with three habits, which [Page] reads: a line in
// capitals is a section's heading, a line that is indented is an example, shown
// as it stands, and all else is paragraphs.
package manpage
