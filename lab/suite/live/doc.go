// SPDX-License-Identifier: Apache-2.0

// Package live tests the module as a live patch, on the distribution's hypervisor,
// unmodified. Its tests build upon each other, in their order.
//
// It is for the lab's Dom0, with two DomUs and the live patch where
// 'vlibmaster module load' finds it.
package live
