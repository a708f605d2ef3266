// SPDX-License-Identifier: Apache-2.0

// Package debs finds, downloads and unpacks packages of a release of Debian without
// installing them, whatever release this machine has.
//
// It is for the lab, which needs a hypervisor, a kernel and a few libraries as files of
// an image. It is not a package manager: only [Install] changes the machine, and
// [Install] has no part in images. It runs apt-cache, apt-get and dpkg-deb, and parses
// their output.
package debs
