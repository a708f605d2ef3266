// SPDX-License-Identifier: Apache-2.0

// Package packaging makes packages of this tree: it has services, scripts of the package
// managers, a boot entry, and their tests. It has no code: packaging/build runs nfpm, and
// the tests (build tag packages, as root) install, upgrade and remove the packages in a new
// Debian of the release that VLIBOS_RELEASE names.
package packaging
