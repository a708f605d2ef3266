// SPDX-License-Identifier: Apache-2.0

// Package source has tests of this tree as text: rules for Go code that the
// linters do not know, links and lines of the pages. It has no code of its own.
package source
