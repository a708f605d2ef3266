// SPDX-License-Identifier: Apache-2.0

// Package atomicfile replaces files. A reader finds either the old or the new
// contents, even after a power failure, and never a part.
package atomicfile
