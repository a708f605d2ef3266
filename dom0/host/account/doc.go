// SPDX-License-Identifier: Apache-2.0

// Package account says of a reservation who has budget, from readings of a
// counter of CPU time: for hosts where no scheduler keeps budgets, and
// somebody looks when one can be gone. It touches no system.
package account
