// SPDX-License-Identifier: Apache-2.0

// Package source has tests of this tree as text: rules that the
// linters do not know. It has no code of its own.
package source
