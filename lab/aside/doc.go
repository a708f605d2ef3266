// SPDX-License-Identifier: Apache-2.0

// Package aside makes folders of caches: what is there is complete, whenever
// whoever made it was killed.
package aside
