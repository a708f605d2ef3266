// SPDX-License-Identifier: Apache-2.0

// Package caching puts domains into the cache classes of the configuration: it looks
// every few seconds which domains exist, and has the host set their masks. A
// configuration that cannot be carried out is refused and changes nothing. At the end
// domains get their earlier settings back.
package caching
