// SPDX-License-Identifier: Apache-2.0

// Package saved keeps machines that were saved while they ran, to be resumed
// any number of times.
//
// It is a store of large files by key: it finds a damaged one before it is used,
// and bounds what all of them take together. What a key must contain, and what
// is in a machine, is its caller's affair.
package saved
