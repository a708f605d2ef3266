// SPDX-License-Identifier: Apache-2.0

package counted

// tsc reads the time-stamp counter. In counted mode it needs no fence: TCG
// executes in order.
func tsc() uint64
