// SPDX-License-Identifier: Apache-2.0

// Package cachedir makes folders and files of caches: what is there is complete,
// whenever the process that made it was killed. [Lock] is for what one process
// at a time may do there.
package cachedir
