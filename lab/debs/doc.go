// SPDX-License-Identifier: Apache-2.0

// Package debs finds, downloads and unpacks Debian and Ubuntu packages from
// the package sources the machine already has, without installing them.
//
// It is for the lab, which needs a hypervisor, a kernel and a few libraries as
// files of an image. It is not a package manager: nothing but [Install] changes
// the machine, and what goes into an image never passes through [Install].
// It runs apt-cache, apt-get and dpkg-deb and reads what they print.
package debs
