// SPDX-License-Identifier: Apache-2.0

// Package packaging is what makes packages of this tree: services, scripts of
// the package managers, a boot entry, and their tests. It has no code of its
// own: packaging/build runs nfpm, and the tests (build tag packages, as root)
// install, upgrade and remove what it built in a new Debian.
package packaging
