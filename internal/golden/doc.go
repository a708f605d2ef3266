// SPDX-License-Identifier: Apache-2.0

// Package golden compares Go's declarations of a C interface with the C
// compiler's. It is for the tests of packages that declare kernel or Xen
// structures; programs do not import it.
//
// A package has testdata/layout.c, which prints "name value" lines from the
// installed headers, and the committed testdata/layout.txt with its output.
// [Check] compares the Go values with the text, in both directions, so that
// neither side can grow without the other. Where a C compiler and the headers
// are installed it also runs the C program again and compares its output.
// generate.sh writes the text again; go generate runs it.
package golden
