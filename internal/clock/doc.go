// SPDX-License-Identifier: Apache-2.0

// Package clock reads the kernel's clocks that package time does not give as
// numbers, and sleeps until somebody has no use for it any more.
package clock
