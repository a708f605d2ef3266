// SPDX-License-Identifier: Apache-2.0

// Package vchan builds the program that measures libxenvchan, Xen's own
// library for bytes between domains, with which calls are compared.
//
// It needs gcc. It takes headers and static libraries from the distribution's
// libxen-dev, which is downloaded and unpacked into the lab's cache but not
// installed. The program has no other use.
package vchan
