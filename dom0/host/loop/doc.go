// SPDX-License-Identifier: Apache-2.0

// Package loop is one real-time thread that does what is due, on time, and in
// between what others ask of it: where budgets are kept by looking.
package loop
