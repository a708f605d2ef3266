// SPDX-License-Identifier: Apache-2.0

// Package module builds Xen with this project's module in it: the release's
// source package or a given source tree, our files laid over it, the hook lines
// inserted, compiled with Xen's default configuration.
//
// What is built is kept by content: the same source version, files, compiler
// and builder give the image that is there already. The compiled tree is kept
// too, so that a change in our C files takes seconds.
//
// It is for the lab and for packaging. It does not install a hypervisor, and
// builds none of Xen's tools: the distribution's own fit, as no interface of
// theirs is changed.
package module
