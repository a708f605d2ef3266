// SPDX-License-Identifier: Apache-2.0

// Package manpage writes manual pages in troff from the help of a program. A page has
// the text that --help prints, so the two cannot differ. It knows the commands and
// flags of urfave/cli.
//
// [Page] reads plain text: a line in capitals is a section's heading, an indented line
// is an example, and all other lines are paragraphs.
//
// It replaces cli's ToMan and go-md2man, whose pages have hyphens and typographic
// quotes in place of the dashes and quotes of commands, so that a reader cannot copy
// them to a shell.
package manpage
