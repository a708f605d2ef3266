// SPDX-License-Identifier: Apache-2.0

// Package saved stores machines that were saved while they ran, to be resumed any
// number of times.
//
// It is a store of large files by key. It finds a damaged file before it is used,
// and limits the total size. The caller determines the key and the contents.
package saved
