// SPDX-License-Identifier: Apache-2.0

// Package atomicfile replaces files so that whoever reads one, also after the
// machine has lost power, finds the old or the new and never a part.
package atomicfile
