// SPDX-License-Identifier: Apache-2.0

// Package serving is tests alone: of the master, as an operator uses it, in the
// lab's Dom0 with DomUs beside it, in counted mode, where shares are exact.
package serving
