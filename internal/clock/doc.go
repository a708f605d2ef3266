// SPDX-License-Identifier: Apache-2.0

// Package clock reads clocks of the kernel that package time does not offer as
// numbers, and sleeps until a time or the end of a context.
package clock
