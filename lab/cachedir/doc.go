// SPDX-License-Identifier: Apache-2.0

// Package cachedir makes folders and files of caches that are complete when they exist,
// even if a process that makes one is killed. [Lock] is for what one process at a time
// may do there.
package cachedir
