// SPDX-License-Identifier: Apache-2.0

// Package serving has only tests: of the master as an operator uses it, in the lab's Dom0
// with DomUs, in counted mode, where shares are exact.
package serving
