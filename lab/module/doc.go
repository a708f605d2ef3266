// SPDX-License-Identifier: Apache-2.0

// Package module builds Xen with this project's module: it takes the release's
// source package or a given source tree, adds our files, inserts the hook lines,
// and compiles it with Xen's default configuration.
//
// Images are cached by content: the source's version, the files, the compiler and
// the builder. The compiled tree stays in the cache too, so that a change in our C
// files takes seconds.
//
// It is for the lab and for packaging. It does not install a hypervisor, and builds
// none of Xen's tools: the distribution's fit, because the module changes none of
// their interfaces.
package module
