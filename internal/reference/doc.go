// SPDX-License-Identifier: Apache-2.0

// Package reference compares pages of docs/reference with the code that they
// describe, for tests. With VLIBOS_UPDATE=1 in the environment a test writes the
// part of a page that it would have compared.
package reference
